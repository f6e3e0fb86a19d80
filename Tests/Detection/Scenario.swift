import Agents
import Contract
import Detection
import Foundation

/// A recording with known truth: `NAME.cast`, `NAME.marks.json`, `NAME.samples.jsonl`, as `Benchmarks/status/record.py` writes them.
struct Scenario {
    /// What a scenario may lack, to see what each channel is worth.
    enum Channel { case title, process, termios, input }

    private struct Marks: Decodable {
        struct Mark: Decodable {
            var t: Double
            var status: String
            var tLo: Double?
            var tHi: Double?
        }
        var agent: String
        var cols: Int
        var rows: Int
        var marks: [Mark]
    }

    let name: String
    let agent: String
    private let columns: Int
    private let rows: Int
    private let marks: [Marks.Mark]
    private let signals: [(at: Double, signal: Signal)]

    /// Every scenario below a folder.
    static func all(in folder: String, without: Set<Channel> = []) throws -> [Scenario] {
        let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return try files.filter { $0.hasSuffix(".cast") && FileManager.default.fileExists(atPath: folder + "/" + $0.dropLast(5) + ".marks.json") }.sorted().map {
            try Scenario(folder + "/" + $0.dropLast(5), without: without)
        }
    }

    init(_ path: String, without: Set<Channel>) throws {
        name = URL(filePath: path).lastPathComponent
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let truth = try decoder.decode(Marks.self, from: Data(contentsOf: URL(filePath: path + ".marks.json")))
        (agent, columns, rows, marks) = (truth.agent, truth.cols, truth.rows, truth.marks)
        var signals: [(Double, Signal)] = []
        for line in try String(contentsOfFile: path + ".cast", encoding: .utf8).split(separator: "\n").dropFirst() {
            guard let event = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [Any], event.count >= 3, let time = (event[0] as? NSNumber)?.doubleValue,
                let data = event[2] as? String
            else { continue }
            switch event[1] as? String {
            case "o": signals.append((time * 1000, .output(Array(without.contains(.title) ? Self.untitled(data).utf8 : data.utf8))))
            case "i" where !without.contains(.input): signals.append((time * 1000, .input(Array(data.utf8), author: nil)))
            case "r":
                let sides = data.split(separator: "x").compactMap { Int($0) }
                if sides.count == 2 { signals.append((time * 1000, .resize(columns: sides[0], rows: sides[1]))) }
            default: break
            }
        }
        struct Sample: Decodable { var t: Double }
        for line in ((try? String(contentsOfFile: path + ".samples.jsonl", encoding: .utf8)) ?? "").split(separator: "\n") {
            let time = try JSONDecoder().decode(Sample.self, from: Data(line.utf8)).t
            var report = try JSON.decode(ProcessReport.self, from: Array(line.utf8))
            if without.contains(.termios) { (report.icanon, report.echo, report.isig) = (nil, nil, nil) }
            if without.contains(.process) { (report.fg, report.procs, report.shell) = (nil, nil, nil) }
            signals.append((time * 1000, .process(report)))
        }
        self.signals = signals.sorted { $0.0 < $1.0 }
    }

    private static func untitled(_ text: String) -> String {
        guard let pattern = try? NSRegularExpression(pattern: "\u{1b}\\][02];[^\u{7}\u{1b}]*(\u{7}|\u{1b}\\\\)") else { return text }
        return pattern.stringByReplacingMatches(in: text, range: NSRange(text.startIndex..., in: text), withTemplate: "")
    }

    /// How well a detector told it.
    struct Score {
        /// Known time in milliseconds, and how much of it had the true status.
        var known = 0.0
        var right = 0.0
        /// Time that was executing and was called idle.
        var executingCalledIdle = 0.0
        var missed: [String] = []
        /// From the true start of waiting to its report, in milliseconds.
        var latencies: [Double] = []
        /// Transitions beyond the truth's, by scenario.
        var flaps: [String: Int] = [:]

        var share: Double { known == 0 ? 0 : right / known }
        var flapCount: Int { flaps.values.reduce(0, +) }
        var medianLatency: Double { latencies.isEmpty ? .infinity : latencies.sorted()[latencies.count / 2] }
    }

    /// The 250 ms after a change are nobody's.
    private static let grace = 250.0

    /// The statuses that a detector says, with their moments.
    func play() -> [(at: Double, status: String)] {
        var play = Play(agent, columns: columns, rows: rows)
        for (at, signal) in signals { play.at(at, signal) }
        play.wait(until: (signals.last?.at ?? 0) + 500)
        return play.said.map { ($0.at, $0.status.status) }
    }

    func add(to score: inout Score) {
        let said = play()
        func held(_ moment: Double) -> String { said.last { $0.at <= moment }?.status ?? "unknown" }
        var spells: [(status: String, from: Double, to: Double, exact: Double)] = []
        for (mark, next) in zip(marks, marks.dropFirst()) {
            let from = (mark.tHi ?? mark.t) * 1000
            let to = (next.tLo ?? next.t) * 1000
            if spells.last?.status == mark.status { spells[spells.count - 1].to = to } else { spells.append((mark.status, from, to, mark.t * 1000)) }
        }
        let known = spells.filter { ["executing", "waiting", "idle"].contains($0.status) }
        for spell in known {
            let from = spell.from + Self.grace
            let edges = [from] + said.map(\.at).filter { $0 > from && $0 < spell.to } + [spell.to]
            for (left, right) in zip(edges, edges.dropFirst()) where right > left {
                score.known += right - left
                if held(left) == spell.status { score.right += right - left }
                if spell.status == "executing", held(left) == "idle" { score.executingCalledIdle += right - left }
            }
            guard spell.status == "waiting" else { continue }
            if let first = said.first(where: { $0.status == "waiting" && $0.at >= spell.exact - 300 && $0.at < spell.to }) {
                score.latencies.append(max(0, first.at - spell.exact))
            } else if held(spell.from) != "waiting" {
                score.missed.append("\(name) at \(spell.exact) ms")
            }
        }
        let changes = said.indices.filter { $0 == 0 || said[$0 - 1].status != said[$0].status }.count
        if changes > known.count { score.flaps[name, default: 0] += changes - known.count }
    }

    static func score(_ scenarios: [Scenario]) -> Score {
        var score = Score()
        for scenario in scenarios { scenario.add(to: &score) }
        return score
    }
}
