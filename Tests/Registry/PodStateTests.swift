import Contract
import Testing

@testable import RegistryServer

@Suite("A pod's state")
struct PodStateTests {
    private func at(_ second: Int64) -> Timestamp { Timestamp(microseconds: 1_700_000_000_000_000 + second * 1_000_000) }

    private let fresh = PodState(columns: 80, rows: 24, runner: "local", agent: nil)

    private let start = Control.start(.init(argv: ["bash"], columns: 100, rows: 30, pid: 7))

    /// Applies facts one after another.
    private func after(_ facts: [(PodFact, Int64)], from state: PodState? = nil) -> PodState {
        facts.reduce(state ?? fresh) { state, fact in state.learning(fact.0, at: at(fact.1)).last?.state ?? state }
    }

    @Test("A pod starts, exits and its record becomes complete")
    func wholeLife() {
        var state = fresh
        var words: [String] = []
        for (fact, second): (PodFact, Int64) in [
            (.control(start, seq: 1), 1), (.control(.exit(.code(0)), seq: 9), 5), (.recordComplete, 6),
        ] {
            for change in state.learning(fact, at: at(second)) {
                words.append(change.what)
                state = change.state
            }
        }
        #expect(words == ["started", "exited", "ended"])
        #expect(state.lifecycle == .ended)
        #expect(state.exit == .code(0))
        #expect(state.started == at(1) && state.exited == at(5) && state.ended == at(6))
        #expect((state.columns, state.rows) == (100, 30))
    }

    @Test("The same facts in any order of ways end in the same state")
    func anyOrder() {
        let control: [(PodFact, Int64)] = [(.control(start, seq: 1), 1), (.control(.exit(.signal(9)), seq: 4), 5)]
        let complete: (PodFact, Int64) = (.recordComplete, 6)
        let confirmed: (PodFact, Int64) = (.confirmed(pid: 7, cwd: "/w", agent: "claude", worktreePath: "/w", sessionID: "s"), 1)
        var results: Set<String> = []
        for completeAt in 0...2 {
            for confirmedAt in 0...3 {
                var facts = control
                facts.insert(complete, at: completeAt)
                facts.insert(confirmed, at: confirmedAt)
                let state = after(facts)
                #expect(state.lifecycle == .ended)
                #expect(state.exit == .signal(9))
                #expect(state.sessionID == "s")
                #expect(state.exited == at(5))
                results.insert("\(state.lifecycle) \(String(describing: state.exit)) \(String(describing: state.started)) \(state.controlSeq)")
            }
        }
        #expect(results.count == 1)
    }

    @Test("What held at a moment is the same whether the record was complete before or after the start and the exit were heard")
    func completeFirst() {
        // As the store does it: a state that would begin before the present one takes its place.
        func lifecycle(_ facts: [(PodFact, Int64)], at second: Int64) -> Lifecycle? {
            var imported = fresh
            imported.lifecycle = .exited
            var states: [(since: Timestamp, state: PodState)] = [(at(0), imported)]
            for (fact, time) in facts {
                for change in states[states.count - 1].state.learning(fact, at: at(time)) {
                    let since = max(change.time, states[states.count - 1].since)
                    if since == states[states.count - 1].since { states.removeLast() }
                    states.append((since, change.state))
                }
            }
            return states.last { $0.since <= at(second) }?.state.lifecycle
        }
        let control: [(PodFact, Int64)] = [(.control(start, seq: 1), 0), (.control(.exit(.code(0)), seq: 9), 60)]
        for place in 0...2 {
            var facts = control
            facts.insert((.recordComplete, 90), at: place)
            #expect(lifecycle(facts, at: 30) == .running, "complete at place \(place)")
            #expect(lifecycle(facts, at: 75) == .exited, "complete at place \(place)")
            #expect(lifecycle(facts, at: 95) == .ended, "complete at place \(place)")
        }
    }

    @Test("A fact that comes twice changes nothing the second time")
    func twice() {
        let facts: [PodFact] = [
            .control(start, seq: 1), .control(.resize(columns: 50, rows: 20, author: nil), seq: 3), .control(.exit(.code(2)), seq: 8),
            .recordComplete,
        ]
        var state = fresh
        for fact in facts {
            state = state.learning(fact, at: at(1)).last?.state ?? state
            #expect(state.learning(fact, at: at(2)).isEmpty)
        }
        #expect(state.reason == "exit code 2")
    }

    @Test("An old control frame does not undo a newer one")
    func oldFrame() {
        let state = after([(.control(start, seq: 1), 1), (.control(.resize(columns: 90, rows: 25, author: nil), seq: 6), 3)])
        #expect(state.learning(.control(.resize(columns: 10, rows: 10, author: nil), seq: 4), at: at(4)).isEmpty)
    }

    @Test("A start that failed is an ended pod with the runner's reason")
    func failedStart() {
        let state = after([(.startFailed(reason: "no such program: claud"), 2)])
        #expect(state.lifecycle == .ended)
        #expect(state.reason == "no such program: claud")
        #expect(state.exit == nil)
    }

    @Test("A start that was given up and comes late is running all the same")
    func lateStart() {
        let state = after([(.startFailed(reason: "no answer"), 2), (.control(start, seq: 1), 3)])
        #expect(state.lifecycle == .running)
        #expect(state.reason == nil && state.ended == nil)
    }

    @Test("A running pod whose start is reported as failed goes on running")
    func lateFailure() {
        let running = after([(.control(start, seq: 1), 1)])
        #expect(running.learning(.startFailed(reason: "timed out"), at: at(2)).isEmpty)
    }

    @Test("A lost pod whose exit is found after all has exited; one that exited cannot be lost")
    func lostAndFound() {
        let found = after([(.control(start, seq: 1), 1), (.lost(reason: "shim is gone"), 3), (.control(.exit(.code(0)), seq: 5), 4)])
        #expect(found.lifecycle == .exited)
        #expect(found.exit == .code(0))
        #expect(found.learning(.lost(reason: "late"), at: at(6)).isEmpty)
    }

    @Test("Killed by a signal is crashed and not an exit; a bad exit code is not a crash")
    func causes() {
        #expect(after([(.control(start, seq: 1), 1), (.control(.exit(.signal(9)), seq: 2), 2)]).lifecycle == .crashed)
        #expect(after([(.control(start, seq: 1), 1), (.control(.exit(.code(1)), seq: 2), 2)]).lifecycle == .exited)
        #expect(after([(.control(start, seq: 1), 1), (.control(.exit(.lost(reason: "host died")), seq: 2), 2)]).lifecycle == .lost)
    }

    @Test("A start that comes after the exit adds what it knows and does not revive the pod")
    func startAfterExit() {
        let state = after([(.control(.exit(.code(0)), seq: 9), 5), (.control(start, seq: 1), 1)])
        #expect(state.lifecycle == .exited)
        #expect(state.started == at(1))
        #expect(state.pid == 7)
    }

    @Test("An unknown kind of control frame changes nothing that is shown")
    func unknownKind() {
        let running = after([(.control(start, seq: 1), 1)])
        let next = after([(.control(.other(kind: "sparkle"), seq: 2), 2)], from: running)
        #expect(next.lifecycle == running.lifecycle)
        #expect(next.started == running.started)
    }
}

@Suite("The choice of a runner")
struct RunnerChoiceTests {
    private func runner(_ name: String, pods: Int, online: Bool = true) -> Runner {
        let time = Timestamp(microseconds: 0)
        return Runner(
            runner: name, host: name, version: "1", state: online ? "online" : "offline", lastBeat: time, firstSeen: time, clockOffset: 0, pods: pods)
    }

    @Test("The least loaded runner that is online is chosen; equal ones by name")
    func leastLoaded() throws {
        #expect(
            try RunnerChoice.choose(wanted: nil, among: [runner("a", pods: 3), runner("b", pods: 1), runner("c", pods: 0, online: false)]) == "b")
        #expect(try RunnerChoice.choose(wanted: nil, among: [runner("b", pods: 1), runner("a", pods: 1)]) == "a")
    }

    @Test("A runner asked for by name is taken even when it has more to do")
    func wanted() throws {
        #expect(try RunnerChoice.choose(wanted: "a", among: [runner("a", pods: 9), runner("b", pods: 0)]) == "a")
    }

    @Test("Unknown, offline and missing runners are refused with a reason")
    func refused() {
        #expect(throws: ErrorBody.self) { try RunnerChoice.choose(wanted: "x", among: [runner("a", pods: 0)]) }
        let offline = #expect(throws: ErrorBody.self) { try RunnerChoice.choose(wanted: "a", among: [runner("a", pods: 0, online: false)]) }
        #expect(offline?.code == .unavailable)
        let none = #expect(throws: ErrorBody.self) { try RunnerChoice.choose(wanted: nil, among: []) }
        #expect(none?.message.contains("no runner has reported") == true)
    }
}

@Suite("Names that are made up")
struct PodNameTests {
    @Test("A made-up name is valid whatever the program is called", arguments: ["bash", "/usr/bin/vim", "Ünï code!", "-x", "..", ""])
    func valid(program: String) {
        let pod = PodID.random()
        let name = PodName.made(for: PodSpec(command: [program]), pod)
        #expect(PodSpec.isName(name), "\(name)")
        #expect(PodID(name) == nil)
    }
}
