internal import FoundationEssentials

/// Where the page's files are when nobody says: beside the program, as installed or as built.
public enum WebDirectory {
    /// The first of the program's folders, going up, that has `share/switchback/web/index.html` or `Web/index.html`.
    public static func find() -> String? {
        var folder = URL(filePath: CommandLine.arguments.first ?? "").resolvingSymlinksInPath().deletingLastPathComponent()
        for _ in 0..<6 {
            for name in ["share/switchback/web", "Web"] {
                let path = folder.appending(path: name).path
                if FileManager.default.fileExists(atPath: path + "/index.html") { return path }
            }
            folder = folder.deletingLastPathComponent()
        }
        return nil
    }
}
