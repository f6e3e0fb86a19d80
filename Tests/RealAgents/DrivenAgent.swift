import APIClient
import Contract
import Foundation
import TestSupport

/// A real agent in a pod, and what the stand-in for its model wrote down.
struct DrivenAgent {
    let pod: Pod
    private let api: APIClient
    private let folder: String

    /// Starts the agent and waits until it reads keys.
    static func start(_ agent: RealAgent, _ api: APIClient, _ folder: String) async throws -> DrivenAgent {
        let driven = DrivenAgent(pod: try await api.create(try agent.prepare(in: folder)), api: api, folder: folder)
        try await driven.wait("idle")
        // A program that paints its composer does not read keys yet: nothing says when it does.
        try await Task.sleep(for: .seconds(3))
        return driven
    }

    @discardableResult
    func wait(_ status: String, _ reason: String? = nil, within limit: Duration = .seconds(40)) async throws -> PodStatus {
        var last: PodStatus?
        return try await eventually(within: limit, "it did not become \(status) \(reason ?? "") but \(last.map { "\($0.status) \($0.reason ?? "")" } ?? "-")") {
            let now = try await api.status(pod.pod.text)
            last = now
            return now.status == status && (reason == nil || now.reason == reason) ? now : nil
        }
    }

    func say(_ text: String) async throws { _ = try await api.input(pod.pod.text, .init(text: text, submit: true, take: true)) }

    /// Approves its dialog as a person does who has seen it.
    func approve() async throws {
        let fingerprint = try await eventually("the dialog has no options") {
            let status = try await api.status(pod.pod.text)
            return status.options?.isEmpty == false ? status.fingerprint : nil
        }
        _ = try await api.approve(pod.pod.text, fingerprint: fingerprint)
    }

    /// When the model was asked for `word`.
    func times(asked word: String) -> [Timestamp] {
        ((try? String(contentsOfFile: folder + "/requests", encoding: .utf8)) ?? "").split(separator: "\n").compactMap { line in
            guard line.hasSuffix(" " + word), let time = Double(line.split(separator: " ")[0]) else { return nil }
            return Timestamp(microseconds: Int64(time * 1e6))
        }
    }

    /// Waits until the model is asked for `word`; gives when it was first.
    func asked(_ word: String) async throws -> Timestamp {
        try await eventually(within: .seconds(30), "the model was not asked for \(word)") { times(asked: word).first }
    }
}
