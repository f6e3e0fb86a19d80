import Bus
import Contract
import Sharding
import Synchronization
import TestSupport
import Testing

@Suite struct ShardingTests {
    @Test("every shard has exactly one owner, whatever the order of members", arguments: [1, 2, 3, 5, 8])
    func partition(_ count: Int) {
        let members = (0..<count).map { "recorder-\($0)" }
        var seen: Set<Shard> = []
        for member in members {
            let shards = Rendezvous.shards(of: member, among: Set(members))
            #expect(seen.isDisjoint(with: shards))
            seen.formUnion(shards)
        }
        #expect(seen.count == Shard.count)
        for shard in Shard.all {
            #expect(Rendezvous.owner(of: shard, among: members) == Rendezvous.owner(of: shard, among: members.reversed()))
        }
        #expect(Rendezvous.owner(of: Shard.all[0], among: [String]()) == nil)
    }

    @Test("shards are spread evenly: nobody has less than a third or more than twice the fair share, over many names")
    func balance() {
        for round in 0..<20 {
            let members = Set((0..<4).map { "relay-\(round)-\($0)" })
            let counts = members.map { Rendezvous.shards(of: $0, among: members).count }
            #expect(counts.allSatisfy { $0 >= 5 && $0 <= 32 }, "\(counts)")
        }
    }

    @Test("when a member leaves, only its own shards move")
    func minimalMovement() {
        let members: Set = ["a", "b", "c", "d", "e"]
        for gone in members {
            let rest = members.subtracting([gone])
            for shard in Shard.all {
                let before = Rendezvous.owner(of: shard, among: members)
                let after = Rendezvous.owner(of: shard, among: rest)
                #expect(before == gone ? after != gone : after == before)
            }
        }
    }

    @Test("a member that is silent for more than three seconds loses its shards, one that missed a beat does not")
    func silence() {
        let start = ContinuousClock.now
        var membership = Membership(instance: "a")
        #expect(membership.begin().gained.count == 64)
        let alive = Membership.Alive(service: "s", instance: "b", state: .serving, time: .now())
        let lost = membership.heard(alive, at: start).lost
        #expect(!lost.isEmpty && lost.count < 64)
        #expect(membership.tick(start + .seconds(2)).isEmpty)
        #expect(membership.tick(start + .milliseconds(3100)).gained == lost)
        #expect(membership.owned.count == 64)
        #expect(membership.heard(.init(service: "s", instance: "a", state: .leaving, time: .now()), at: start).isEmpty)
    }

    @Test("a sole instance owns all shards soon; a second takes its part, and gives it back when it leaves")
    func handover() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        let start = ContinuousClock.now
        let first = try await ShardOwnership.start(bus, service: "t", instance: "one") { _ in }
        // Without anybody else it does not wait for the beat after which others would be lost.
        #expect(ContinuousClock.now - start < .seconds(30))
        #expect(first.owned.count == 64)

        let gained = Mutex<Set<Shard>>([])
        let other = try await server.connect()
        let second = try await ShardOwnership.start(other, service: "t", instance: "two") { change in
            gained.withLock { $0 = $0.union(change.gained).subtracting(change.lost) }
        }
        try await eventually { first.owned.union(second.owned).count == 64 && first.owned.isDisjoint(with: second.owned) }
        #expect(!second.owned.isEmpty && second.owned == gained.withLock { $0 })
        #expect(first.members == ["one", "two"])
        await second.leave()
        #expect(gained.withLock { $0.isEmpty })
        try await eventually(within: .seconds(1)) { first.owned.count == 64 }
        await first.leave()
        await bus.close()
        await other.close()
    }

    @Test("an instance that dies without a word loses its shards to the others")
    func death() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        let other = try await server.connect()
        let first = try await ShardOwnership.start(bus, service: "t", instance: "one") { _ in }
        let second = try await ShardOwnership.start(other, service: "t", instance: "two") { _ in }
        try await eventually { first.owned.count < 64 && !second.owned.isEmpty }
        await other.close()
        try await eventually(within: .seconds(6)) { first.owned.count == 64 }
        await first.leave()
        await bus.close()
    }
}
