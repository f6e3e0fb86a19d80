import BindingsCore
import Contract
import Testing

@Suite("What a wait becomes")
struct WaitMachineTests {
    let a = PodID("paaaaaaaaaaaa")!
    let b = PodID("pbbbbbbbbbbbb")!
    let start = Timestamp(microseconds: 10_000_000)

    func wait(_ pods: [PodID], _ mode: Wait.Mode = .all, until: Wait.Until = .idle, turn: UInt64? = nil) -> Wait {
        Wait(
            id: "W-one", waiter: Author(kind: .person, id: "ada"), targets: pods.map { .init(pod: $0) }, mode: mode, until: until, turn: turn,
            created: start, deadline: start + .seconds(60))
    }

    func status(_ word: String, _ reason: String? = nil, seq: UInt64 = 5) -> WaitMachine.Fact {
        .status(PodStatus(status: word, reason: reason, since: start + .seconds(1), seq: seq))
    }

    func after(_ facts: [(PodID, WaitMachine.Fact)], _ wait: Wait) -> Wait {
        facts.reduce(wait) { WaitMachine.learn($1.1, of: $1.0, $0, now: start + .seconds(2))?.wait ?? $0 }
    }

    @Test("Any ends with the first, all with the last; the answer says what was seen and when")
    func anyAll() throws {
        let any = after([(a, status("idle", "turn_done"))], wait([a, b], .any))
        #expect(any.outcome == .matched)
        let seen = try #require(any.targets[0].seen)
        #expect(seen.status == "idle" && seen.reason == "turn_done" && seen.seq == 5 && seen.time == start + .seconds(1))
        #expect(any.targets[1].seen == nil)
        #expect(after([(a, status("idle"))], wait([a, b])).outcome == nil)
        #expect(after([(a, status("idle")), (b, status("idle"))], wait([a, b])).outcome == .matched)
    }

    @Test("Neither `unknown`, another status nor another pod ends it")
    func others() {
        #expect(after([(a, status("unknown")), (a, status("executing")), (a, status("waiting", "approval")), (b, status("idle"))], wait([a])) == wait([a]))
    }

    @Test("A target that ends, ends the wait as gone; of any of several only the last does")
    func gone() {
        let ended = WaitMachine.Fact.lifecycle(.exited, .code(0))
        #expect(after([(a, ended)], wait([a])).outcome == .gone)
        #expect(after([(a, ended)], wait([a, b])).outcome == .gone)
        #expect(after([(a, ended)], wait([a, b], .any)).outcome == nil)
        #expect(after([(a, ended), (b, ended)], wait([a, b], .any)).outcome == .gone)
        #expect(after([(a, ended), (b, status("idle"))], wait([a, b], .any)).outcome == .matched)
        #expect(after([(a, ended)], wait([a], until: .ended)).outcome == .matched)
        #expect(after([(a, .lifecycle(.running, nil))], wait([a], until: .ended)).outcome == nil)
    }

    @Test("A turn's end counts only after the turn began, and only of the turn after the prompt")
    func turn() {
        let pinned = wait([a], turn: 100)
        #expect(after([(a, status("idle", "turn_done", seq: 90))], pinned).outcome == nil)
        #expect(after([(a, status("idle", "prompt", seq: 101))], pinned).outcome == nil)
        #expect(after([(a, status("executing", seq: 99)), (a, status("idle", "prompt", seq: 101))], pinned).outcome == nil)
        #expect(after([(a, status("executing", seq: 102)), (a, status("idle", "prompt", seq: 110))], pinned).outcome == .matched)
        #expect(after([(a, status("idle", "turn_done", seq: 110))], pinned).outcome == .matched)
    }

    @Test("It times out once, and nothing changes it afterwards")
    func ends() throws {
        #expect(WaitMachine.expire(wait([a]), now: start + .seconds(59)) == nil)
        let over = try #require(WaitMachine.expire(wait([a]), now: start + .seconds(60))).wait
        #expect(over.outcome == .timedOut)
        #expect(after([(a, status("idle"))], over) == over)
        #expect(WaitMachine.cancel(over, now: start) == nil)
        #expect(WaitMachine.cancel(wait([a]), now: start)?.wait.outcome == .cancelled)
    }

    @Test("A wait for a binding ends with its answer, accepted or rejected")
    func binding() {
        var binding = Binding(
            id: "B-one", from: a, to: b, state: .pending, requested: [.read], requestedBy: Author(kind: .pod, id: a.text), created: start)
        var waiting = wait([], until: .binding)
        waiting.targets = [.init(pod: b, binding: "B-one")]
        #expect(after([(b, .binding(binding))], waiting).outcome == nil)
        binding.state = .active
        #expect(after([(b, .binding(binding))], waiting).outcome == .matched)
        binding.state = .inactive
        binding.reason = .rejected
        #expect(after([(b, .binding(binding))], waiting).targets[0].seen?.reason == "rejected")
        binding.reason = .podEnded
        #expect(after([(b, .binding(binding))], waiting).outcome == .gone)
    }
}
