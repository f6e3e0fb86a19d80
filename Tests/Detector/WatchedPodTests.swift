import Agents
import Contract
import Testing

@testable import DetectorServer

@Suite("A pod that a detector watches")
struct WatchedPodTests {
    @Test("A wait that was told before the pod's first frame came is known all the same")
    func earlyWait() throws {
        let (id, other) = (PodID.random(), PodID.random())
        let start = Timestamp.now()
        let wait = Wait(
            id: "W-aaaaaaaaaaaaa", waiter: Author(kind: .pod, id: id.text), targets: [.init(pod: other)], mode: .all, until: .ended, created: start,
            deadline: start + .seconds(60))
        let pod = WatchedPod(id, rules: { Rulebook(catalog: AgentCatalog.load(folders: [])) }, waits: { $0 == id ? [wait] : [] }, tell: { _, _, _ in })
        // It is not there yet: nobody tells of the wait again.
        #expect(pod.refreshWaits(now: .now) == .nothing)
        let first = Frame(
            pod: id, seq: 1, time: start, kind: .ctl, bytes: try JSON.encode(Control.start(.init(argv: ["cat"], columns: 80, rows: 24))))
        let now = ContinuousClock.now
        _ = pod.receive(first, now: now)
        for second in 1...5 { _ = pod.tick(now: now + .seconds(second)) }
        #expect(pod.status?.status == "waiting" && pod.status?.reason == "agent" && pod.status?.waitsFor == [other])
    }
}
