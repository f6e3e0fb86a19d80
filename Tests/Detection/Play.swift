import Agents
import Contract
import Detection
import Foundation
import Terminal

/// The manifests of this repository.
let catalog: AgentCatalog = {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path + "/Agents"
    return AgentCatalog.load(folders: [folder])
}()

/// A detector whose timers run by themselves, and everything it said.
struct Play {
    var detector: Detector
    var said: [(at: Double, status: PodStatus)] = []
    private var seq: UInt64 = 0
    private static let origin = Timestamp(microseconds: 1_000_000_000)

    init(_ agent: String, columns: Int = 80, rows: Int = 24) {
        detector = Detector(manifest: agent == "generic" ? nil : catalog.manifest(named: agent), fallback: catalog.fallback, columns: columns, rows: rows)
    }

    /// Lets time pass, in milliseconds from the beginning.
    mutating func wait(until milliseconds: Double) {
        let end = Self.time(milliseconds)
        while let due = detector.wakeAt, due <= end { take(.tick, due) }
        take(.tick, end)
    }

    mutating func at(_ milliseconds: Double, _ signal: Signal) {
        wait(until: milliseconds)
        take(signal, Self.time(milliseconds))
    }

    mutating func at(_ milliseconds: Double, feed text: String) { at(milliseconds, .output(Array(text.utf8))) }

    static func time(_ milliseconds: Double) -> Timestamp { origin + .microseconds(Int64(milliseconds * 1000)) }

    private mutating func take(_ signal: Signal, _ time: Timestamp) {
        seq += 1
        guard let status = detector.take(signal, at: time, seq: seq) else { return }
        said.append(((time - Self.origin).milliseconds, status))
    }

    /// Statuses in order, without repetitions.
    var statuses: [String] {
        said.reduce(into: []) { result, next in if result.last != next.status.status { result.append(next.status.status) } }
    }

    var now: String { detector.status.status + (detector.status.reason.map { "/" + $0 } ?? "") }

    /// Clears the screen and writes rows.
    static func screen(_ rows: [String]) -> String { "\u{1b}[2J\u{1b}[H" + rows.joined(separator: "\r\n") }

    static func report(
        icanon: Bool? = nil, echo: Bool? = nil, isig: Bool? = nil, fg: Int32? = nil,
        _ processes: [(pid: Int32, name: String, state: String, group: Int32, cpu: Double)] = []
    ) -> Signal {
        .process(
            ProcessReport(
                icanon: icanon, echo: echo, isig: isig, fg: fg,
                procs: processes.map { .init(pid: $0.pid, comm: $0.name, state: $0.state, pgrp: $0.group, cpu: $0.cpu) }))
    }
}

extension Duration {
    var milliseconds: Double { Double(microseconds) / 1000 }
}
