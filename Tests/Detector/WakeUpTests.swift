import Agents
import Contract
import Foundation
import Testing

@testable import DetectorServer

@Suite("Ticks that a pod asks for")
struct WakeUpTests {
    /// A pod whose frames and ticks come by a clock of the test's own.
    private final class Clocked {
        let pod: WatchedPod
        private(set) var now = ContinuousClock.now
        private var time = Timestamp.now()
        private var seq: UInt64 = 0
        /// What is booked and did not come yet.
        private(set) var booked: [ContinuousClock.Instant] = []
        private(set) var ticks = 0

        init(agent: String) throws {
            let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Agents").standardized.path
            let rules = Rulebook(catalog: AgentCatalog.load(folders: [folder]))
            pod = WatchedPod(PodID("paaaaaaaaaaaa")!, rules: { rules }, tell: { _, _, _ in })
            let start = Control.start(.init(argv: [agent], columns: 80, rows: 24, agent: agent))
            receive(.ctl, try JSON.encode(start))
            let process = ProcessReport.Process(pid: 7, comm: agent, state: "S", pgrp: 7, cpu: 1, load: 0)
            receive(.ctl, try JSON.encode(Control.process(ProcessReport(icanon: false, echo: false, isig: false, fg: 7, shell: 7, procs: [process]))))
        }

        func print(_ text: String) { receive(.out, Array(text.utf8)) }

        private func receive(_ kind: FrameKind, _ bytes: [UInt8]) {
            seq += 1
            perform(pod.receive(Frame(pod: pod.pod, seq: seq, time: time, kind: kind, bytes: bytes), now: now))
        }

        func pass(_ duration: Duration) {
            let end = now + duration, passed = time + duration
            while let next = booked.min(), next <= end {
                booked.remove(at: booked.firstIndex(of: next)!)
                now = max(now, next)
                ticks += 1
                perform(pod.tick(now: now))
            }
            (now, time) = (end, passed)
        }

        private func perform(_ next: WatchedPod.Next) {
            if case .wake(let moment) = next { booked.append(moment) }
        }
    }

    @Test("are few however long it works", arguments: ["bash", "claude", "codex", "gemini", "aider", "opencode"])
    func few(agent: String) throws {
        let pod = try Clocked(agent: agent)
        var most = 0
        for beat in 0..<6000 {
            let spinner = ["⠋", "⠙", "⠹", "⠸"][beat % 4]
            pod.print("\u{1b}]0;\(spinner) Checking the edges\u{7}\r\u{1b}[2K\(spinner) Working (\(beat / 10)s · esc to interrupt)")
            if beat % 50 == 0 { pod.print("\r\nline \(beat)\r\n") }
            pod.pass(.milliseconds(beat % 200 == 0 ? 3000 : 90))
            most = max(most, pod.booked.count)
        }
        #expect(pod.ticks > 0)
        #expect(most <= 4, "\(most) ticks were booked at once")
    }
}
