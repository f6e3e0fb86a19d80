import BindingsClient
import BindingsServer
import Bus
import Contract
import DetectorClient
import Foundation
import RecorderServer
import RegistryClient
import Synchronization
import TestSupport
import Testing

@testable import DetectorServer

@Suite("The detector service", .serialized)
struct DetectorServiceTests {
    @Test("Changes of status reach subscribers, the stream and the registry, and the explanation names the rule")
    func follow() async throws {
        let stage = try await DetectorStage.start()
        let detector = try await stage.detector()
        let shim = try ScriptedShim(stage.bus, agent: "toy")
        try shim.title("BUSY with it")
        try await stage.said(shim.pod, "executing")
        try shim.title("ASK me")
        try await stage.said(shim.pod, "waiting")
        let explanation = try await stage.client.explain(ExplainStatus(pod: shim.pod))
        #expect(explanation.status.status == "waiting" && explanation.status.reason == "approval")
        #expect(explanation.agent == "toy" && explanation.evidence.first?.rule == "asks")
        let heard = stage.heard.statuses(shim.pod)
        try await eventually("the stream did not keep them") { try await stage.kept(shim.pod) == heard }
        try await eventually("the registry does not know it") {
            (try? await stage.pods.get(shim.pod.text))?.status == heard.last
        }
        try shim.control(.exit(.code(0)))
        try await eventually("the memory of an ended pod stays") {
            try await JetStream(stage.bus).lastMessage(Streams.detector, subject: Subjects.detectorMemory(shim.pod)) == nil
        }
        await detector.stop()
        await stage.end()
    }

    @Test("A pod with an open wait is waiting for the other, in the stream and the registry, across a restart; the wait's end lets it go on")
    func waits() async throws {
        let stage = try await DetectorStage.start()
        let bindings = try await BindingsServer.start(
            bus: try await stage.nats.connect(name: "bindings"), pool: stage.pool, logger: quiet, instance: "b", sweep: .milliseconds(100))
        let first = try await stage.detector("one")
        let (waiter, other) = (try ScriptedShim(stage.bus, agent: "toy"), try ScriptedShim(stage.bus, agent: "toy"))
        for shim in [waiter, other] {
            try shim.title("BUSY")
            try await stage.said(shim.pod, "executing")
            try await eventually { (try? await stage.pods.get(shim.pod.text))?.status?.status == "executing" }
        }
        let wait = try await BindingsClient(bus: stage.bus).wait(
            CreateWait(waiter: Author(kind: .pod, id: waiter.pod.text), pods: [other.pod], mode: .all, until: .idle))
        try await stage.said(waiter.pod, "waiting")
        let said = try #require(stage.heard.statuses(waiter.pod).last)
        #expect(said.reason == "agent" && said.waitsFor == [other.pod] && said.beneath == "executing")
        #expect(said.evidence?.contains(wait.id) == true)
        try await eventually("the registry does not know it") { (try? await stage.pods.get(waiter.pod.text))?.status?.reason == "agent" }
        #expect(stage.heard.statuses(other.pod).last?.status == "executing")

        // Another detector takes over: nothing is said anew.
        let told = stage.heard.statuses(waiter.pod).count
        first.abandon()
        let second = try await stage.detector("two")
        try await eventually("nobody follows the pod") { try await stage.client.explain(ExplainStatus(pod: waiter.pod)).status.reason == "agent" }
        try await Task.sleep(for: .milliseconds(500))
        #expect(stage.heard.statuses(waiter.pod).count == told)

        let before = Timestamp.now()
        try other.title("REST")
        try await stage.said(waiter.pod, "executing")
        try await eventually("the registry's intervals are others") { try await stage.history(waiter.pod).map(\.value) == ["executing", "waiting", "executing"] }
        #expect(try await BindingsClient(bus: stage.bus).wait(wait.id).outcome == .matched)
        // The past says what was awaited then.
        #expect(try await stage.pods.get(waiter.pod.text, at: before).status?.reason == "agent")
        await second.stop()
        await bindings.stop()
        await stage.end()
    }

    @Test("Killed and started again, a detector invents no change and misses none, though many happened while it was away")
    func restart() async throws {
        let stage = try await DetectorStage.start()
        let first = try await stage.detector("one")
        let shims = try (0..<12).map { _ in try ScriptedShim(stage.bus, agent: "toy") }
        let quietShims = shims.prefix(4)
        for shim in shims { try shim.title("BUSY") }
        for shim in shims { try await stage.said(shim.pod, "executing") }
        for shim in shims { try await eventually { (try? await stage.pods.get(shim.pod.text))?.status?.status == "executing" } }
        let before = Dictionary(uniqueKeysWithValues: shims.map { ($0.pod, stage.heard.statuses($0.pod)) })
        first.abandon()
        for shim in shims.dropFirst(4) {
            try shim.output("lines of output\r\n")
            try shim.title("ASK")
        }
        // Far enough apart for a detector that watches.
        try await Task.sleep(for: .milliseconds(400))
        for shim in shims.dropFirst(8) { try shim.title("BUSY again") }
        try await Task.sleep(for: .milliseconds(400))
        let second = try await stage.detector("two")
        for shim in shims.dropFirst(4).prefix(4) { try await stage.said(shim.pod, "waiting") }
        for shim in shims.dropFirst(8) {
            try await eventually(within: .seconds(20), "what happened meanwhile was lost: \(stage.heard.statuses(shim.pod).map(\.status))") {
                stage.heard.statuses(shim.pod).suffix(2).map(\.status) == ["waiting", "executing"]
            }
        }
        for shim in quietShims {
            let now = try await stage.client.explain(ExplainStatus(pod: shim.pod))
            #expect(now.status.status == "executing" && now.status.since == before[shim.pod]?.last?.since)
            #expect(stage.heard.statuses(shim.pod) == before[shim.pod])
        }
        for shim in shims.dropFirst(4) {
            let said = stage.heard.statuses(shim.pod)
            let old = before[shim.pod] ?? []
            #expect(Array(said.prefix(old.count)) == old)
            #expect(Set(said.map { "\($0.seq).\($0.since)" }).count == said.count)
            try await eventually("the registry's history is another") {
                try await stage.history(shim.pod).map(\.value) == said.map(\.status)
            }
        }
        await second.stop()
        await stage.end()
    }

    @Test("What a pod said last before the detector was back on the bus is known, although nothing comes after it")
    func lastWords() async throws {
        let stage = try await DetectorStage.start()
        let detector = try await stage.detector()
        let shim = try ScriptedShim(stage.bus, agent: "toy")
        try shim.title("BUSY")
        try await stage.said(shim.pod, "executing")
        stage.nats.kill9()
        // So long that those who were cut off try again a second or two apart.
        try await Task.sleep(for: .seconds(4))
        let asks = try shim.output("\u{1b}]0;ASK\u{7}", publish: false)
        try await stage.nats.restart()
        try await shim.store(asks, by: try await stage.nats.connect(name: "early"))
        try await eventually("the question was not seen") {
            (try? await stage.client.explain(ExplainStatus(pod: shim.pod)))?.status.status == "waiting"
        }
        await detector.stop()
        await stage.end()
    }

    @Test("What a detector said after it had kept its memory, and before it was killed, is not said again")
    func toldBeforeKilled() async throws {
        let stage = try await DetectorStage.start()
        let first = try await stage.detector("one")
        let shims = try (0..<6).map { _ in try ScriptedShim(stage.bus, agent: "toy") }
        for shim in shims { try shim.title("BUSY") }
        for shim in shims {
            try await stage.said(shim.pod, "executing")
            try await eventually("nothing was kept") {
                try await JetStream(stage.bus).lastMessage(Streams.detector, subject: Subjects.detectorMemory(shim.pod)) != nil
            }
        }
        // Its memory of these is of before.
        for shim in shims { try shim.title("ASK") }
        for shim in shims { try await stage.said(shim.pod, "waiting") }
        first.abandon()
        let second = try await stage.detector("two")
        for shim in shims {
            try await eventually("nobody follows the pod") { try await stage.client.explain(ExplainStatus(pod: shim.pod)).status.status == "waiting" }
            try shim.title("REST")
            try await stage.said(shim.pod, "idle")
            #expect(stage.heard.statuses(shim.pod).map(\.status) == ["executing", "waiting", "idle"])
        }
        await second.stop()
        await stage.end()
    }

    @Test("Stopped in order and started again, nothing is said twice and every status keeps its time")
    func gracefulRestart() async throws {
        let stage = try await DetectorStage.start()
        let first = try await stage.detector("one")
        let shims = try (0..<6).map { _ in try ScriptedShim(stage.bus, agent: "toy") }
        for (index, shim) in shims.enumerated() { try shim.title(["BUSY", "ASK", "REST"][index % 3]) }
        for (index, shim) in shims.enumerated() { try await stage.said(shim.pod, ["executing", "waiting", "idle"][index % 3]) }
        for shim in shims { try await eventually { (try? await stage.pods.get(shim.pod.text))?.status != nil } }
        let before = shims.map { stage.heard.statuses($0.pod) }
        await first.stop()
        let second = try await stage.detector("two")
        for (shim, old) in zip(shims, before) {
            let explanation = try await stage.client.explain(ExplainStatus(pod: shim.pod))
            #expect(explanation.status.since == old.last?.since)
            #expect(stage.heard.statuses(shim.pod) == old)
            #expect(try await stage.kept(shim.pod) == old)
        }
        await second.stop()
        await stage.end()
    }

    @Test("Two detectors share the pods; when one is killed no pod is without one for more than 3 s, and the registry has nothing twice")
    func twoInstances() async throws {
        let stage = try await DetectorStage.start()
        let one = try await stage.detector("one")
        let two = try await stage.detector("two")
        try await eventually("the shards were not shared") { Shard.all.allSatisfy { one.owns($0) != two.owns($0) } }
        let shims = try (0..<24).map { _ in try ScriptedShim(stage.bus, agent: "toy") }
        for shim in shims { try shim.title("BUSY") }
        for shim in shims { try await stage.said(shim.pod, "executing") }
        #expect(shims.contains { one.held($0.pod) != nil } && shims.contains { two.held($0.pod) != nil })
        let lost = shims.filter { two.owns($0.pod.shard) }
        two.abandon()
        let killed = ContinuousClock.now
        for shim in lost { try shim.title("ASK") }
        for shim in lost { try await stage.said(shim.pod, "waiting", within: .seconds(10)) }
        let last = lost.compactMap { stage.heard.times($0.pod).last }.max() ?? killed
        print("a killed detector's pods were told of again after \(last - killed)")
        for shim in shims {
            let said = stage.heard.statuses(shim.pod)
            #expect(said.map(\.status) == (lost.contains { $0.pod == shim.pod } ? ["executing", "waiting"] : ["executing"]))
            try await eventually("the registry has another history") { try await stage.history(shim.pod).map(\.value) == said.map(\.status) }
        }
        await one.stop()
        await stage.end()
    }

    @Test("2,000 bursts of three changes are heard in order, by subscribers and by the registry")
    func bursts() async throws {
        let stage = try await DetectorStage.start()
        let detector = try await stage.detector()
        let pods = try (0..<20).map { _ in try TimedPod(stage.bus, agent: "toy") }
        for burst in 0..<100 {
            for pod in pods {
                for (step, event) in ["Work", "Ask", "Done"].enumerated() {
                    try pod.control(Double(burst * 3 + step + 1), .hook(HookReport(agent: "toy", event: event)))
                }
            }
        }
        for pod in pods { try pod.output(400, "x") }
        for pod in pods {
            try await eventually("the last change was not heard") { stage.heard.statuses(pod.pod).count >= 300 }
            let said = stage.heard.statuses(pod.pod)
            #expect(said.prefix(300).map(\.status) == (0..<100).flatMap { _ in ["executing", "waiting", "idle"] })
            #expect(zip(said, said.dropFirst()).allSatisfy { $0.seq <= $1.seq && $0.since < $1.since })
        }
        for pod in pods {
            try await eventually(within: .seconds(60), "the registry has not all") {
                try await stage.history(pod.pod).map(\.value) == stage.heard.statuses(pod.pod).map(\.status)
            }
        }
        // And who reads them later from the stream.
        for pod in pods { #expect(try await stage.kept(pod.pod) == stage.heard.statuses(pod.pod)) }
        await detector.stop()
        await stage.end()
    }

    @Test("An approval that is left for ten hours is announced once and still stands")
    func leftAlone() async throws {
        let stage = try await DetectorStage.start()
        let detector = try await stage.detector()
        let pod = try TimedPod(stage.bus, agent: "toy")
        try pod.title(1, "BUSY")
        try pod.title(3, "ASK")
        // It keeps redrawing, as dialogs do.
        for minute in 1...600 { try pod.output(Double(minute) * 60, "\u{1b}[1;1H|\u{1b}[1;1H/") }
        try await stage.said(pod.pod, "waiting")
        try await eventually("not all frames were taken") {
            try await stage.client.explain(ExplainStatus(pod: pod.pod)).at >= pod.start + .seconds(36_000)
        }
        #expect(stage.heard.statuses(pod.pod).filter { $0.status == "waiting" }.count == 1)
        #expect(stage.heard.statuses(pod.pod).last?.status == "waiting")
        await detector.stop()
        await stage.end()
    }

    @Test("Output that is lost on its way is made up for by the pod's screen as it is; a frame of nobody's changes nothing")
    func lostFrames() async throws {
        let stage = try await DetectorStage.start()
        let detector = try await stage.detector()
        let shim = try ScriptedShim(stage.bus, agent: "toy")
        try shim.title("BUSY")
        try await stage.said(shim.pod, "executing")
        // Neither the detector nor the stream ever gets this one.
        try shim.output("\u{1b}]0;ASK\u{7}", publish: false)
        try shim.output("\r\n")
        try await stage.said(shim.pod, "waiting")
        #expect(shim.keyframesGiven > 0)
        let garbled = Frame(pod: shim.pod, seq: shim.seq + 1, time: .now(), kind: .out, bytes: Array("\u{1b}]0;REST\u{7}".utf8))
        try stage.bus.publish(garbled.subject, payload: garbled.bytes, headers: [(Headers.messageID, "nobody.7"), (Headers.time, "1")])
        try shim.title("BUSY")
        try await stage.said(shim.pod, "executing")
        #expect(stage.heard.statuses(shim.pod).map(\.status) == ["executing", "waiting", "executing"])
        await detector.stop()
        await stage.end()
    }

    @Test("Manifests are read anew while it runs; a bad one is refused with its line and the old one stays")
    func liveManifests() async throws {
        let stage = try await DetectorStage.start()
        let detector = try await stage.detector()
        let shim = try ScriptedShim(stage.bus, agent: "toy")
        try shim.title("ON THE ROCKS")
        try stage.write("toy.toml", "title = \"Toy\"\n[launch]\ncommand = [\"toy\"]\n[[rules]]\nname = \"broken\"\nregion = \"nowhere\"\n")
        let refused = try await eventually("the bad manifest was not refused") {
            let agents = try await stage.client.agents()
            return agents.problems.isEmpty ? nil : agents
        }
        #expect(refused.problems.first?.contains("line") == true && refused.problems.first?.contains("nowhere") == true)
        #expect(refused.agents.map(\.name) == ["toy"] && refused.agents.first?.rules == 3 && refused.agents.first?.problem != nil)
        try stage.write("toy.toml", DetectorStage.toy.replacing("BUSY", with: "ROCKS"))
        try await stage.said(shim.pod, "executing")
        #expect(try await stage.client.agents().problems.isEmpty)
        await detector.stop()
        await stage.end()
    }

    @Test("An agent whose screen no rule knows for 30 s raises one alarm with its screen, and another when it is understood again")
    func drift() async throws {
        let stage = try await DetectorStage.start()
        let alarms = Mutex<[Alarm]>([])
        try stage.bus.subscribe("event.alarm.detector.drift") { message in
            if let alarm = try? JSON.decode(Alarm.self, from: message.payload) { alarms.withLock { $0.append(alarm) } }
        }
        let detector = try await stage.detector()
        let pod = try TimedPod(stage.bus, agent: "toy")
        try pod.output(1, "A screen that nobody described\r\n")
        for second in 2...60 { try pod.output(Double(second), "more of it \(second)\r\n") }
        try await eventually("no alarm was raised") { alarms.withLock { !$0.isEmpty } }
        let alarm = try #require(alarms.withLock { $0.first })
        #expect(alarm.active && alarm.pod == pod.pod && alarm.screen?.contains { $0.contains("more of it") } == true)
        try pod.title(61, "BUSY")
        try pod.output(62, "x")
        try await eventually("the alarm did not end") { alarms.withLock { $0.count == 2 && !$0[1].active } }
        await detector.stop()
        await stage.end()
    }

    @Test("A past moment is explained from the record, with the rules that hold now, and with what was said then")
    func past() async throws {
        let stage = try await DetectorStage.start()
        let detector = try await stage.detector()
        let recorder = try await stage.recorder()
        let pod = try TimedPod(stage.bus, agent: "toy")
        try pod.title(10, "BUSY")
        try pod.title(20, "ASK")
        try pod.title(30, "BUSY")
        try pod.control(40, .exit(.code(0)))
        try await eventually("the pod did not end in the registry") { (try? await stage.history(pod.pod))?.count ?? 0 >= 3 }
        func explain(_ seconds: Int) async throws -> StatusExplanation {
            try await eventually(within: .seconds(20), "the record does not answer") {
                do {
                    return try await stage.client.explain(ExplainStatus(pod: pod.pod, at: pod.start + .seconds(seconds)))
                } catch let error as ErrorBody where [.notFound, .unavailable].contains(error.code) {
                    return nil
                }
            }
        }
        #expect(try await explain(15).status.status == "executing")
        let waiting = try await explain(25)
        #expect(waiting.status.status == "waiting" && waiting.evidence.first?.rule == "asks" && waiting.history?.last?.status == "waiting")
        #expect(try await explain(35).status.status == "executing")
        await #expect(throws: ErrorBody.self) { try await stage.client.explain(ExplainStatus(pod: .random())) }
        await recorder.stop()
        await detector.stop()
        await stage.end()
    }
}
