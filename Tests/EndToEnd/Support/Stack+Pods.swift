import Bus
import Contract
import Foundation
import TestSupport

extension Stack {
    /// Asks a service and takes its answer; the service's error is thrown.
    func ask<Request: Encodable, Answer: Decodable>(
        _ subject: String, _ request: Request, as answer: Answer.Type, timeout: Duration = .seconds(10)
    ) async throws -> Answer {
        let reply = try await bus.request(subject, payload: JSON.encode(request), timeout: timeout)
        return try Reply.decode(answer, from: reply.payload)
    }

    /// Starts a pod that runs `command`, and waits until it runs.
    func run(_ command: [String], name: String? = nil, columns: Int = 80, rows: Int = 24, change: (inout PodSpec) -> Void = { _ in }) async throws -> Pod {
        var spec = PodSpec(name: name, command: command, columns: columns, rows: rows)
        change(&spec)
        // A runner may have come up a moment ago: the registry knows it from its first beat.
        return try await eventually(within: .seconds(10), "no runner took the pod") {
            do {
                return try await ask(Subjects.podsCreate, CreatePod(spec: spec, author: Self.person), as: Pod.self)
            } catch let error as ErrorBody where error.code == .unavailable || error.code == .notFound && spec.runner != nil {
                return nil
            }
        }
    }

    func pod(_ ref: String) async throws -> Pod {
        try await ask(Subjects.podsGet, GetPod(ref: ref), as: Pod.self)
    }

    /// Waits until the pod's record is complete.
    func waitUntilEnded(_ pod: PodID, within limit: Duration = .seconds(60)) async throws -> Pod {
        try await eventually(within: limit, "\(pod) did not end") {
            let now = try? await self.pod(pod.text)
            return now?.lifecycle == .ended ? now : nil
        }
    }

    /// All frames that the recorder holds of a pod, with a check that they are whole and in order.
    func recorded(_ pod: PodID) async throws -> [Frame] {
        var frames: [Frame] = []
        var next: UInt64 = 1
        while true {
            let message = try await bus.request(
                Subjects.recorder(pod.shard, "play"), payload: JSON.encode(Play(pod: pod, seq: next)), timeout: .seconds(60))
            if let error = Reply.error(in: message.payload) { throw error }
            guard let text = message.header(Headers.meta) else { throw TestSupportError("a slice without its description") }
            let meta = try JSON.decode(SliceMeta.self, from: text.utf8)
            let slice = try FrameCodec.decode(message.payload[meta.keyframeBytes...], pod: pod)
            for frame in slice where frame.seq >= next {
                guard frame.seq == next else { throw TestSupportError("frame \(frame.seq) follows \(next - 1)") }
                frames.append(frame)
                next += 1
            }
            guard meta.hasLater else { return frames }
            guard !slice.isEmpty else { throw TestSupportError("an empty slice at frame \(next)") }
        }
    }

    /// The output bytes of the whole recording.
    func recordedOutput(_ pod: PodID) async throws -> [UInt8] {
        try await recorded(pod).filter { $0.kind == .out }.flatMap(\.bytes)
    }

    func verify(_ pod: PodID) async throws -> Verified {
        try await ask(Subjects.recorder(pod.shard, "verify"), RecordingRequest(pod: pod), as: Verified.self, timeout: .seconds(60))
    }
}

/// The numbers of lines `line <n>` in a terminal's output, in order.
func numberedLines(_ output: [UInt8]) -> [Int] {
    output.split(whereSeparator: { $0 == 10 || $0 == 13 }).compactMap { line in
        let text = String(decoding: line, as: UTF8.self)
        guard text.hasPrefix("line ") else { return nil }
        return Int(text.dropFirst(5).prefix { $0.isNumber })
    }
}
