import Bus
import Contract
import Foundation
import RecorderClient

/// Measures seeks in a very long recording.
///
///     record-bench make CAST MEGABYTES HOURS OUT     a recording of that size and length, by repeating CAST's events
///     record-bench seek NATS-URL POD COUNT           seeks at random moments: time of each request, bytes decoded at 1, 50 and 99 % of the length
@main
enum RecordBench {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            switch arguments.first {
            case "make":
                guard arguments.count == 5, let megabytes = Int(arguments[2]), let hours = Double(arguments[3]) else { usage() }
                try make(cast: arguments[1], megabytes: megabytes, hours: hours, to: arguments[4])
            case "seek":
                guard arguments.count == 4, let pod = PodID(arguments[2]), let count = Int(arguments[3]) else { usage() }
                try await seek(address: arguments[1], pod: pod, count: count)
            default: usage()
            }
        } catch {
            FileHandle.standardError.write(Data("record-bench: \(error)\n".utf8))
            exit(1)
        }
    }

    static func usage() -> Never {
        FileHandle.standardError.write(Data("record-bench make CAST MEGABYTES HOURS OUT | seek NATS-URL POD COUNT\n".utf8))
        exit(2)
    }

    /// Repeats the output events until there are `megabytes` of output, evenly over `hours`. The events' own pauses are scaled alike.
    private static func make(cast: String, megabytes: Int, hours: Double, to path: String) throws {
        let lines = try String(contentsOfFile: cast, encoding: .utf8).split(separator: "\n").map(String.init)
        guard let header = lines.first.flatMap({ try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }) else {
            throw BenchError("\(cast) is no asciicast")
        }
        var size = (header["width"] as? Int, header["height"] as? Int)
        if let term = header["term"] as? [String: Any] { size = (term["cols"] as? Int, term["rows"] as? Int) }
        // Each event's data as it stands in the file, with its pause and its size.
        var events: [(pause: Double, json: Substring, bytes: Int)] = []
        var before = 0.0
        let isRelative = (header["version"] as? Int) == 3
        for line in lines.dropFirst() {
            guard let event = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [Any], event.count == 3, event[1] as? String == "o",
                let time = (event[0] as? NSNumber)?.doubleValue, let data = event[2] as? String, let comma = line.firstIndex(of: ",")
            else { continue }
            events.append((isRelative ? time : max(0, time - before), line[line.index(after: comma)...], data.utf8.count))
            before = time
        }
        let bytes = events.reduce(0) { $0 + $1.bytes }, length = events.reduce(0) { $0 + $1.pause }
        guard bytes > 0, length > 0 else { throw BenchError("\(cast) holds no output") }
        let rounds = (megabytes * 1_000_000 + bytes - 1) / bytes
        let scale = hours * 3600 / (length * Double(rounds))
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path) else {
            throw BenchError("cannot write \(path)")
        }
        var text = "{\"version\":2,\"width\":\(size.0 ?? 80),\"height\":\(size.1 ?? 24)}\n"
        var time = 0.0
        for _ in 0..<rounds {
            for event in events {
                time += event.pause * scale
                text += "[\(time),\(event.json)\n"
            }
            try file.write(contentsOf: Data(text.utf8))
            text = ""
        }
        try file.close()
        print("{\"what\":\"recording\",\"megabytes\":\(rounds * bytes / 1_000_000),\"hours\":\(time / 3600),\"events\":\(rounds * events.count)}")
    }

    private static func seek(address: String, pod: PodID, count: Int) async throws {
        var options = BusOptions(
            servers: [address], name: "record-bench", credentialsFile: ProcessInfo.processInfo.environment["SWITCHBACK_NATS_CREDS"])
        options.inbox = Subjects.inbox(service: "admin")
        let bus = try await BusConnection.connect(options)
        let recorder = RecorderClient(bus: bus)
        let (bounds, _) = try await recorder.seek(Seek(pod: pod, format: .text))
        func moment(_ share: Double) -> Timestamp {
            Timestamp(microseconds: bounds.first.microseconds + Int64(Double(bounds.last.microseconds - bounds.first.microseconds) * share))
        }
        let clock = ContinuousClock()
        for (name, format, scrollback) in [("text", Attach.Format.text, 0), ("state", .snapshot, 0), ("state with 1000 lines", .snapshot, 1000)] {
            var times: [Double] = []
            for _ in 0..<count {
                let begun = clock.now
                _ = try await recorder.seek(Seek(pod: pod, at: moment(.random(in: 0...1)), format: format, scrollback: scrollback))
                let spent = begun.duration(to: clock.now).components
                times.append(Double(spent.seconds) * 1000 + Double(spent.attoseconds) / 1e15)
            }
            times.sort()
            func quantile(_ q: Double) -> Double { (times[min(times.count - 1, Int(Double(times.count) * q))] * 1000).rounded() / 1000 }
            print("{\"what\":\"seek \(name)\",\"samples\":\(count),\"p50_ms\":\(quantile(0.5)),\"p99_ms\":\(quantile(0.99))}")
        }
        for percent in [1, 50, 99] {
            var sizes: [Int] = []
            for offset in 0..<40 {
                let share = Double(percent) / 100 + Double(offset - 20) / 10_000
                sizes.append(try await recorder.seek(Seek(pod: pod, at: moment(share), format: .text)).meta.decodedBytes)
            }
            print("{\"what\":\"bytes decoded at \(percent) %\",\"mean\":\(sizes.reduce(0, +) / sizes.count),\"most\":\(sizes.max() ?? 0)}")
        }
        await bus.close()
    }
}

struct BenchError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
