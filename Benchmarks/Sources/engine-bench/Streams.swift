internal import Foundation

/// Bytes to feed, and the size of the screen they were made for.
struct Stream {
    var name: String
    var columns: Int
    var rows: Int
    var bytes: [UInt8]
}

enum Streams {
    /// The output of an asciicast recording, v2 or v3.
    static func cast(_ path: String) throws -> Stream {
        let data: Data
        if path.hasSuffix(".zst") {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/zstd")
            process.arguments = ["-dcq", path]
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            data = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
        } else {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        }
        var stream = Stream(name: URL(fileURLWithPath: path).lastPathComponent, columns: 80, rows: 24, bytes: [])
        for (index, line) in data.split(separator: 0x0A).enumerated() {
            guard let value = try? JSONSerialization.jsonObject(with: line) else { continue }
            if index == 0, let header = value as? [String: Any] {
                let term = header["term"] as? [String: Any]
                stream.columns = header["width"] as? Int ?? term?["cols"] as? Int ?? 80
                stream.rows = header["height"] as? Int ?? term?["rows"] as? Int ?? 24
            } else if let event = value as? [Any], event.count > 2, event[1] as? String == "o", let text = event[2] as? String {
                stream.bytes.append(contentsOf: text.utf8)
            }
        }
        return stream
    }

    /// A log without colours: lines of 20 to 110 characters.
    static func plainLog() -> Stream {
        var text = ""
        for line in 0..<60_000 {
            text += "2026-11-21T12:00:00.\(line % 1000) worker[\(line % 97)]: request \(line) took \(line * 7 % 313) ms"
            if line % 3 == 0 { text += ", path=/v1/pods/p\(line)/screen status=200" }
            text += "\r\n"
        }
        return Stream(name: "plain log", columns: 160, rows: 40, bytes: Array(text.utf8))
    }

    /// A test run with colours on every line.
    static func colorLog() -> Stream {
        var text = ""
        for line in 0..<40_000 {
            text += "\u{1B}[2m12:00:\(line % 60)\u{1B}[0m \u{1B}[1;3\(line % 8)mINFO\u{1B}[0m \u{1B}[38;5;\(line % 256)mmodule::\(line % 41)\u{1B}[39m "
            text += "finished step \u{1B}[32m\(line)\u{1B}[0m of 40000 \u{1B}[38;2;\(line % 256);80;120m✓\u{1B}[0m\r\n"
        }
        return Stream(name: "colour log", columns: 160, rows: 40, bytes: Array(text.utf8))
    }

    /// A full-screen program that repaints boxes, a spinner and a table.
    static func repaint() -> Stream {
        var text = ""
        for frame in 0..<400 {
            text += "\u{1B}[?2026h\u{1B}[H\u{1B}[38;5;45m╭" + String(repeating: "─", count: 116) + "╮\u{1B}[0m"
            for row in 2...38 {
                text += "\u{1B}[\(row);1H\u{1B}[38;5;45m│\u{1B}[0m \u{1B}[1mrow \(row)\u{1B}[22m  \u{1B}[3\(row % 8)mvalue \(frame * row)\u{1B}[0m\u{1B}[K"
                text += "\u{1B}[\(row);118H\u{1B}[38;5;45m│\u{1B}[0m"
            }
            text += "\u{1B}[39;1H\u{1B}[38;5;45m╰" + String(repeating: "─", count: 116) + "╯\u{1B}[0m"
            text += "\u{1B}[40;1H\u{1B}[7m \(["⠋", "⠙", "⠹", "⠸"][frame % 4]) frame \(frame) \u{1B}[27m\u{1B}[K\u{1B}[?2026l"
        }
        return Stream(name: "TUI repaint", columns: 120, rows: 40, bytes: Array(text.utf8))
    }
}
