import Bus
import Compression
import Contract
import Foundation
import Terminal
import TestSupport

/// A state of a pod's terminal, as a service answered it.
struct PodScreen {
    var seq: UInt64
    var terminal: Terminal

    var text: String { terminal.text().joined(separator: "\n") }
}

extension Stack {
    /// What the relay shows now.
    func live(_ pod: PodID) async throws -> PodScreen {
        let message = try await answered(Subjects.relay(pod.shard, "attach"), JSON.encode(Attach(pod: pod, format: .snapshot)))
        let meta = try JSON.decode(KeyframeMeta.self, from: (message.header(Headers.meta) ?? "").utf8)
        return PodScreen(seq: meta.seq, terminal: try Terminal(snapshot: Zstd.decompress(message.payload, limit: 64 << 20)))
    }

    /// What the record shows after frame `seq`, or at a moment, or at its end.
    func seek(_ pod: PodID, seq: UInt64? = nil, at: Timestamp? = nil) async throws -> (screen: PodScreen, meta: SeekMeta) {
        let message = try await answered(
            Subjects.recorder(pod.shard, "seek"), JSON.encode(Seek(pod: pod, at: at, seq: seq, format: .snapshot)))
        let meta = try JSON.decode(SeekMeta.self, from: (message.header(Headers.meta) ?? "").utf8)
        return (PodScreen(seq: meta.seq, terminal: try Terminal(snapshot: Zstd.decompress(message.payload, limit: 64 << 20))), meta)
    }

    /// Waits until the pod's live screen holds `text`.
    @discardableResult
    func waitForScreen(_ pod: PodID, _ text: String, within limit: Duration = .seconds(20)) async throws -> PodScreen {
        var last = ""
        return try await eventually(within: limit, "the screen of \(pod) did not show \"\(text)\"; it shows:\n\(last)") {
            guard let screen = try? await live(pod) else { return nil }
            last = screen.text
            return last.contains(text) ? screen : nil
        }
    }

    /// Types through the gate.
    func type(
        _ bytes: [UInt8], into pod: PodID, role: Role = .operator, viewer: String? = nil, ifSeq: UInt64? = nil, author: Author = person
    ) async throws -> Applied {
        let write = Write(pod: pod, author: author, role: role, viewer: viewer, via: "test", ifSeq: ifSeq)
        let message = try await bus.request(
            Subjects.relay(pod.shard, "write"), payload: bytes, headers: [(Headers.meta, JSON.text(write))], timeout: .seconds(60))
        return try Reply.decode(Applied.self, from: message.payload)
    }

    func type(_ text: String, into pod: PodID, viewer: String? = nil, author: Author = person) async throws -> Applied {
        try await type(Array(text.utf8), into: pod, viewer: viewer, author: author)
    }

    func resize(_ pod: PodID, _ columns: Int, _ rows: Int, role: Role = .operator) async throws -> Applied {
        try await ask(
            Subjects.relay(pod.shard, "resize"), Resize(pod: pod, columns: columns, rows: rows, author: Self.person, role: role), as: Applied.self)
    }

    private func answered(_ subject: String, _ payload: [UInt8]) async throws -> BusMessage {
        let message = try await bus.request(subject, payload: payload, timeout: .seconds(60))
        if let error = Reply.error(in: message.payload) { throw error }
        return message
    }
}

/// A fresh engine that was fed every frame up to and including `seq`.
func replayed(_ frames: [Frame], upTo seq: UInt64) throws -> Terminal {
    var terminal = Terminal(columns: 80, rows: 24)
    for frame in frames where frame.seq <= seq {
        switch frame.kind {
        case .out: terminal.feed(frame.bytes)
        case .ctl:
            switch try JSON.decode(Control.self, from: frame.bytes) {
            case .start(let start): terminal = Terminal(columns: start.columns, rows: start.rows)
            case .resize(let columns, let rows, _): terminal.resize(columns: columns, rows: rows)
            default: break
            }
        case .in, .key: break
        }
    }
    return terminal
}

/// Whether two terminals show the same: every cell, cursor, mode, title, and the history behind.
func isSame(_ a: Terminal, _ b: Terminal) -> Bool { difference(a, b) == nil }

/// What two terminals do not share, in words; nil if they show the same.
func difference(_ a: Terminal, _ b: Terminal) -> String? {
    let (first, second) = (a.fullDelta(), b.fullDelta())
    if first.changed != second.changed {
        let rows = zip(first.changed, second.changed).first { $0 != $1 }
        return "row \(rows?.0.row ?? -1): \(rows.map { "\($0.0.runs) and \($0.1.runs)" } ?? "\(a.text()) and \(b.text())")"
    }
    if first.cursor != second.cursor { return "cursor: \(first.cursor) and \(second.cursor)" }
    if first != second { return "title, bells or what viewers need: \(first.title ?? "") \(first.bells) \(first.modes) and \(second.title ?? "") \(second.bells) \(second.modes)" }
    if a.modes != b.modes { return "modes: \(a.modes) and \(b.modes)" }
    let (before, after) = (a.history(lines: 2000), b.history(lines: 2000))
    return before == after ? nil : "history: \(before.count) and \(after.count) lines; \(before.suffix(3)) and \(after.suffix(3))"
}
