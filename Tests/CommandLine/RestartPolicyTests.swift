import Testing

@testable import LocalStack

@Suite("When to start again what died")
struct RestartPolicyTests {
    @Test("Delays double up to a limit")
    func doubling() {
        var policy = RestartPolicy()
        let delays = (0..<12).map { _ in policy.died(ranFor: 0.1, chance: 0.5) }
        #expect(delays[0] == 0.2)
        #expect(delays[1] == 0.4)
        #expect(delays[4] == 3.2)
        #expect(delays.last == 30)
        #expect(zip(delays, delays.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test("Chance spreads a delay by a quarter to both sides and never beyond", arguments: [-3, 0, 0.25, 1, 7])
    func spread(chance: Double) {
        var policy = RestartPolicy()
        let delay = policy.died(ranFor: 0, chance: chance)
        #expect((0.15...0.25).contains(delay))
    }

    @Test("Who ran well for a minute starts from the shortest delay again")
    func forgets() {
        var policy = RestartPolicy()
        for _ in 0..<6 { _ = policy.died(ranFor: 1, chance: 0.5) }
        #expect(policy.died(ranFor: 61, chance: 0.5) == 0.2)
        #expect(policy.deathsInARow == 1)
    }

    @Test("Thousands of deaths do not overflow")
    func many() {
        var policy = RestartPolicy()
        for _ in 0..<10_000 { #expect(policy.died(ranFor: 0, chance: 1) <= 37.5) }
    }
}
