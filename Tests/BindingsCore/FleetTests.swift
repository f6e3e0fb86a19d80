import BindingsCore
import Contract
import Testing

@Suite("The whole picture")
struct FleetTests {
    static func pod(_ name: String, _ generator: inout Seeded) -> Pod {
        var pod = Pod(
            pod: PodID.random(using: &generator), name: name, spec: PodSpec(command: ["sh"]), lifecycle: .running, created: Timestamp(microseconds: 1))
        pod.owner = Author(kind: .person, id: "ada")
        return pod
    }

    static let empty = BindingSnapshot(seq: 0, time: Timestamp(microseconds: 0), bindings: [], waits: [])

    static func status(_ word: String, _ reason: String? = nil, at time: Int64) -> PodStatus {
        PodStatus(status: word, reason: reason, since: Timestamp(microseconds: time), seq: UInt64(time))
    }

    @Test("A fleet that was told the events is the fleet of the next snapshot, and reads the same as JSON, for random histories")
    func applied() throws {
        var generator = Seeded(5)
        for _ in 0..<60 {
            var encoder = TopologyEncoder()
            var pods = (0..<6).map { Self.pod("p\($0)", &generator) }
            var live = Fleet(pods: pods, snapshot: Self.empty)
            var snapshot = Self.empty
            for step in 1...60 {
                let time = Timestamp(microseconds: Int64(step))
                let a = pods.randomElement(using: &generator)!
                let b = pods.randomElement(using: &generator)!
                switch Int.random(in: 0..<8, using: &generator) {
                case 0, 1:
                    guard a.pod != b.pod else { continue }
                    var binding =
                        snapshot.bindings.randomElement(using: &generator)
                        ?? Binding(
                            id: "B-\(step)", from: a.pod, to: b.pod, state: .pending, requested: [.read], pending: [.read],
                            requestedBy: Author(kind: .pod, id: a.pod.text), created: time)
                    binding.state = [.pending, .active, .inactive].randomElement(using: &generator)!
                    binding.since = time
                    let event = BindingEvent(what: "changed", time: time, seq: snapshot.seq + 1, binding: binding)
                    snapshot.apply(event)
                    live.learn(event)
                case 2, 3:
                    guard a.pod != b.pod else { continue }
                    var wait =
                        snapshot.waits.randomElement(using: &generator)
                        ?? Wait(
                            id: "W-\(step)", waiter: Author(kind: .pod, id: a.pod.text), targets: [.init(pod: b.pod)], mode: .all, until: .idle,
                            created: time, deadline: time + .seconds(9))
                    if Bool.random(using: &generator) { wait.outcome = .matched }
                    let event = WaitEvent(what: "changed", time: time, seq: snapshot.seq + 1, wait: wait)
                    snapshot.apply(event)
                    live.learn(event)
                    // Told twice, it changes nothing.
                    live.learn(event)
                case 4, 5:
                    guard a.pod != b.pod else { continue }
                    var message =
                        snapshot.questions.randomElement(using: &generator)
                        ?? ChannelMessage(
                            id: "M-\(step)", channel: "C-one", channelName: "one", number: UInt64(step), author: Author(kind: .pod, id: a.pod.text),
                            authorName: a.name, text: "?", created: time, mentions: [Author(kind: .pod, id: b.pod.text)], asks: true)
                    if Bool.random(using: &generator) { message.closed = time }
                    var event = ChannelEvent(what: "changed", time: time, seq: snapshot.seq + 1, message: message)
                    if Int.random(in: 0..<4, using: &generator) == 0 {
                        let members = [Channel.Member(who: Author(kind: .pod, id: a.pod.text), name: a.name, joined: time)]
                        event = ChannelEvent(
                            what: "joined", time: time, seq: snapshot.seq + 1,
                            channel: Channel(
                                id: "C-\(step % 3)", name: "c\(step % 3)", created: Timestamp(microseconds: Int64(step % 3)), createdBy: members[0].who,
                                members: members))
                    }
                    snapshot.apply(event)
                    live.learn(event)
                    live.learn(event)
                case 6:
                    let status = Self.status(["idle", "waiting", "executing"].randomElement(using: &generator)!, "approval", at: Int64(step))
                    pods[pods.firstIndex { $0.pod == a.pod }!].status = status
                    live.learn(status, of: a.pod)
                default:
                    guard pods.count > 3, Int.random(in: 0..<8, using: &generator) == 0 else { continue }
                    pods.removeAll { $0.pod == a.pod }
                    var ended = a
                    ended.lifecycle = .exited
                    live.learn(ended)
                }
                var fresh = Fleet(pods: pods, snapshot: snapshot)
                let topology = live.topology(at: time)
                #expect(topology == fresh.topology(at: time))
                #expect(try encoder.encode(topology) == JSON.encode(topology))
            }
        }
    }

    @Test("Pending edges are drawn, nothing leads to an absent pod, and the person who frees most is the first root")
    func drawn() throws {
        var generator = Seeded(9)
        let pods = (0..<4).map { Self.pod("p\($0)", &generator) }
        let time = Timestamp(microseconds: 5)
        let pending = Binding(
            id: "B-1", from: pods[1].pod, to: pods[0].pod, state: .pending, requested: [.read], pending: [.read],
            requestedBy: Author(kind: .pod, id: pods[1].pod.text), created: time)
        let absent = Binding(
            id: "B-2", from: pods[1].pod, to: PodID.random(using: &generator), state: .active, requested: [.read], granted: [.read],
            requestedBy: Author(kind: .pod, id: pods[1].pod.text), created: time)
        let wait = Wait(
            id: "W-1", waiter: Author(kind: .pod, id: pods[2].pod.text), targets: [.init(pod: pods[1].pod)], mode: .all, until: .idle, created: time,
            deadline: time + .seconds(9))
        var fleet = Fleet(pods: pods, snapshot: BindingSnapshot(seq: 3, time: time, bindings: [pending, absent], waits: [wait]))
        fleet.learn(Self.status("waiting", "approval", at: 4), of: pods[0].pod)
        let topology = fleet.topology(at: time)
        #expect(topology.nodes.count == 4)
        #expect(topology.edges.filter { $0.kind == "binding" }.map(\.id) == ["B-1"])
        #expect(topology.edges.first { $0.id == "B-1" }?.pending == [.read])
        #expect(Set(topology.edges.filter { $0.kind == "wait" }.map(\.to)) == [pods[1].pod.text, "person:ada"])
        #expect(topology.roots.first?.person == "ada" && topology.roots.first?.frees == 3)
        let first = try #require(topology.nodes.first { $0.pod == pods[0].pod })
        #expect(first.blocks == 2 && first.blocksDirectly == 1 && first.blockedBy == ["person:ada"])
        #expect(fleet.weight(of: pods[0].pod).frees == 3)
    }

    @Test("Everybody idle while somebody waits is a standstill; with one at work it is none")
    func standstill() {
        var generator = Seeded(13)
        let pods = (0..<3).map { Self.pod("p\($0)", &generator) }
        let time = Timestamp(microseconds: 5)
        let wait = Wait(
            id: "W-1", waiter: Author(kind: .pod, id: pods[2].pod.text), targets: [.init(pod: pods[1].pod)], mode: .all, until: .ended, created: time,
            deadline: time + .seconds(9))
        var fleet = Fleet(pods: pods, snapshot: BindingSnapshot(seq: 1, time: time, bindings: [], waits: [wait]))
        for pod in pods { fleet.learn(Self.status("idle", at: 2), of: pod.pod) }
        #expect(fleet.isStandstill)
        fleet.learn(Self.status("executing", at: 3), of: pods[0].pod)
        #expect(!fleet.isStandstill)
        fleet.learn(Self.status("unknown", at: 4), of: pods[0].pod)
        #expect(!fleet.isStandstill)
    }
}
