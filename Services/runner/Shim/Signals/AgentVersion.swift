internal import Contract
internal import FoundationEssentials

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The version of the pod's agent where the file system says it: asking the program itself would cost a process and may do more.
struct AgentVersion {
    private var tries = 0

    /// Nil while it cannot be told; after a few tries for good.
    mutating func look(root: Int32) -> String? {
        guard tries < 3 else { return nil }
        tries += 1
        guard let program = Self.link("/proc/\(root)/exe") else { return nil }
        if let version = Self.version(inPath: program) { return version }
        // A script: its file is the first argument that is a path.
        guard let line = FileManager.default.contents(atPath: "/proc/\(root)/cmdline") else { return nil }
        for argument in line.split(separator: 0).dropFirst().prefix(3) {
            guard argument.first == UInt8(ascii: "/"), let file = Self.real(String(decoding: argument, as: UTF8.self)) else { continue }
            if let version = Self.version(inPath: file) ?? Self.version(ofPackage: file) { return version }
        }
        return nil
    }

    /// `…/versions/2.1.330/…`: how several agents install themselves.
    static func version(inPath path: String) -> String? {
        let parts = path.split(separator: "/")
        for (before, part) in zip(parts, parts.dropFirst()) where before == "versions" && isVersion(part) { return String(part) }
        return nil
    }

    /// The `package.json` of the package that a program lies in.
    private static func version(ofPackage file: String) -> String? {
        struct Package: Decodable { var version: String? }
        let parts = file.split(separator: "/")
        guard let modules = parts.lastIndex(of: "node_modules"), modules + 1 < parts.count else { return nil }
        let isScoped = parts[modules + 1].hasPrefix("@")
        let folder = "/" + parts.prefix(modules + (isScoped ? 3 : 2)).joined(separator: "/")
        guard let text = FileManager.default.contents(atPath: folder + "/package.json"), text.count < 1 << 20,
            let version = (try? JSON.decode(Package.self, from: text))?.version, isVersion(version)
        else { return nil }
        return version
    }

    static func isVersion(_ text: some StringProtocol) -> Bool {
        let bytes = text.utf8
        return bytes.count <= 32 && bytes.first.map { (0x30...0x39).contains($0) } == true && bytes.contains(UInt8(ascii: "."))
            && bytes.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private static func link(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { space in
            guard let base = space.baseAddress else { return nil }
            let count = readlink(path, base, 4095)
            guard count > 0 else { return nil }
            return String(decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(space)[..<count]), as: UTF8.self)
        }
    }

    private static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
