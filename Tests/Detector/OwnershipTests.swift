import Contract
import Sharding
import Testing

@testable import DetectorServer

/// Who looks after a pod whose detector died: a matter of beats, played without a clock.
@Suite("A detector that dies")
struct OwnershipTests {
    private let start = ContinuousClock.now

    private func alive(_ instance: String) -> Membership.Alive { .init(service: "detector", instance: instance, state: .serving, time: .now()) }

    /// A member that knows of another, which speaks each beat from `phase` on.
    private func member(phase: Duration) -> Membership {
        var member = Membership(instance: "one", beat: DetectorService.aliveEvery)
        _ = member.begin()
        _ = member.heard(alive("two"), at: start + phase)
        return member
    }

    @Test("Its pods have another one within 3 s, whenever it died", arguments: stride(from: 0, to: 20, by: 1).map { Double($0) / 20 })
    func taken(share: Double) {
        let beat = DetectorService.aliveEvery
        var member = member(phase: .zero)
        #expect(member.owned.count < Shard.all.count)
        // It died right after its last word; the other one looks at its own times.
        var now = beat * share
        var gained = member.tick(start + now).gained
        while gained.isEmpty, now < .seconds(60) {
            now += beat
            gained = member.tick(start + now).gained
        }
        #expect(member.owned.count == Shard.all.count)
        #expect(now < .seconds(3))
    }

    @Test("One that is late, or not heard once, keeps its pods")
    func late() {
        let beat = DetectorService.aliveEvery
        var member = member(phase: .zero)
        for round in 1...200 {
            if round % 3 != 0 { _ = member.heard(alive("two"), at: start + beat * round + beat * 0.4) }
            #expect(member.tick(start + beat * (Double(round) + 0.99)).isEmpty)
        }
    }
}
