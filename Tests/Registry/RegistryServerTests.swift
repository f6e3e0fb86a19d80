import Bus
import Contract
import Database
import Foundation
import Logging
import RegistryClient
import Synchronization
import TestSupport
import Testing

@testable import RegistryServer

@Suite("The registry")
struct RegistryServerTests {
    @Test("A pod is started on a runner, lives, exits and ends; every change is an event")
    func life() async throws {
        let it = try await Surroundings.start()
        let events = Mutex<[String]>([])
        try it.bus.subscribe("event.pod.>") { message in
            let what = String(message.subject.split(separator: ".").last ?? "")
            events.withLock { $0.append(what) }
        }
        try await it.addRunner()
        let pod = try await it.create("fix-login")
        #expect(pod.lifecycle == .running)
        #expect(pod.pid == 42)
        #expect(pod.runner == "one")

        try await it.say(pod.pod, .start(.init(argv: ["bash"], columns: 100, rows: 30, pid: 42)), seq: 1)
        try await it.pod("fix-login") { $0.columns == 100 }
        try await it.say(pod.pod, .exit(.code(3)), seq: 7)
        let exited = try await it.pod("fix-login") { $0.lifecycle == .exited }
        #expect(exited.exit == .code(3))
        #expect(exited.reason == "exit code 3")
        _ = try await it.bus.request(Subjects.event("recording", pod.pod.text, "complete"), payload: Array("{}".utf8))
        try await it.pod("fix-login") { $0.lifecycle == .ended }

        let history = try await it.client.history(PodRequest(pod: pod.pod, author: .alice))
        #expect(history.entries.map(\.value) == ["starting", "running", "exited", "ended"])
        #expect(history.entries.dropLast().allSatisfy { $0.to != nil })
        #expect(history.entries.last?.to == nil)
        try await eventually("the events did not come") {
            events.withLock { $0.filter { $0 != "changed" && $0 != "resized" } } == ["created", "started", "exited", "ended"]
        }
        await it.end()
    }

    @Test("A start that fails says the runner's reason, and the pod keeps it")
    func failedStart() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner { _ throws(ErrorBody) in throw ErrorBody(.badRequest, "there is no program \"claud\"") }
        let error = await #expect(throws: ErrorBody.self) { try await it.create("x", command: ["claud"]) }
        #expect(error?.code.rawValue == "start_failed")
        #expect(error?.message.contains("there is no program \"claud\"") == true)
        let pod = try await it.client.get("x")
        #expect(pod.lifecycle == .ended)
        #expect(pod.reason == "there is no program \"claud\"")
        // The name is free again.
        let again = await #expect(throws: ErrorBody.self) { try await it.create("x", command: ["claud"]) }
        #expect(again?.code.rawValue == "start_failed")
        await it.end()
    }

    @Test("Without a runner, or with one that does not answer, a start is refused and says why")
    func noRunner() async throws {
        let it = try await Surroundings.start()
        let none = await #expect(throws: ErrorBody.self) { try await it.create("x") }
        #expect(none?.code == .unavailable)
        try await it.beat("deaf")
        let deaf = await #expect(throws: ErrorBody.self) { try await it.create("x") }
        #expect(deaf?.code == .unavailable)
        #expect(deaf?.message.contains("deaf") == true)
        await it.end()
    }

    @Test("A name belongs to one live pod at a time, also when many ask at once")
    func names() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        let results = await withTaskGroup(of: Result<Pod, any Error>.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    do { return .success(try await it.create("only")) } catch { return .failure(error) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let made = results.compactMap { try? $0.get() }
        #expect(made.count == 1)
        for case .failure(let error) in results { #expect((error as? ErrorBody)?.code == .conflict) }
        let first = try #require(made.first)
        try await it.say(first.pod, .exit(.code(0)), seq: 2)
        try await it.pod("only") { !$0.lifecycle.isLive }
        let second = try await it.create("only")
        #expect(second.pod != first.pod)
        // The live one answers to the name, though the other has it too.
        #expect(try await it.client.get("only").pod == second.pod)
        await it.end()
    }

    @Test("One idempotency key starts one pod, however often and at the same time it is asked")
    func idempotency() async throws {
        let it = try await Surroundings.start()
        let starts = Atomic<Int>(0)
        try await it.addRunner { _ throws(ErrorBody) in
            starts.add(1, ordering: .relaxed)
            return .sample
        }
        let pods = try await withThrowingTaskGroup(of: PodID.self) { group in
            for _ in 0..<6 { group.addTask { try await it.create(nil, key: "k1").pod } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(pods.count == 1)
        #expect(starts.load(ordering: .relaxed) == 1)
        #expect(try await it.create(nil, key: "k1").lifecycle == .running)
        let other = await #expect(throws: ErrorBody.self) { try await it.create(nil, key: "k1", command: ["vim"]) }
        #expect(other?.code == .conflict)
        await it.end()
    }

    @Test("A pod is found by id, name and the unique beginning of its id; an ambiguous beginning lists the candidates")
    func references() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        var pods: [Pod] = []
        // Ids are random: make pods until two begin alike.
        var byPrefix: [Substring: [Pod]] = [:]
        while !byPrefix.values.contains(where: { $0.count > 1 }) {
            let pod = try await it.create(nil)
            pods.append(pod)
            byPrefix[pod.pod.text.prefix(2), default: []].append(pod)
        }
        let first = pods[0]
        #expect(try await it.client.get(first.pod.text) == first)
        #expect(try await it.client.get(first.name).pod == first.pod)
        #expect(try await it.client.get(String(first.pod.text.prefix(12))).pod == first.pod)
        let shared = try #require(byPrefix.first { $0.value.count > 1 })
        let ambiguous = await #expect(throws: ErrorBody.self) { try await it.client.get(String(shared.key)) }
        #expect(ambiguous?.code.rawValue == "ambiguous")
        for pod in shared.value { #expect(ambiguous?.message.contains(pod.pod.text) == true) }
        for wrong in ["nothing", "p", "", "p'; DROP TABLE registry.pods; --", "p%", "p_"] {
            let error = await #expect(throws: ErrorBody.self) { try await it.client.get(wrong) }
            #expect(error?.code == .notFound, "\(wrong)")
        }
        await it.end()
    }

    @Test("Every read can be asked as of a moment")
    func asOf() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        let before = Timestamp.now()
        let pod = try await it.create("timely")
        let running = Timestamp.now()
        try await it.say(pod.pod, .resize(columns: 120, rows: 50, author: nil), seq: 2, at: running + .milliseconds(5))
        try await it.say(pod.pod, .exit(.signal(9)), seq: 3, at: running + .milliseconds(10))
        try await it.pod("timely") { $0.lifecycle == .crashed }

        let missing = await #expect(throws: ErrorBody.self) { try await it.client.get("timely", at: before) }
        #expect(missing?.code == .notFound)
        #expect(try await it.client.list(ListPods(at: before)).pods.isEmpty)
        let then = try await it.client.get("timely", at: running)
        #expect(then.lifecycle == .running && then.columns == 80)
        #expect(try await it.client.get("timely", at: running + .milliseconds(7)).columns == 120)
        #expect(try await it.client.list(ListPods(at: running, live: true)).pods.map(\.pod) == [pod.pod])
        #expect(try await it.client.list(ListPods(live: true)).pods.isEmpty)
        let future = try await it.client.get("timely", at: .now() + .seconds(3600))
        #expect(future.lifecycle == .crashed && future.exit == .signal(9))
        await it.end()
    }

    @Test("Lists come in pages that hold each pod once, newest first")
    func pages() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        var made: [PodID] = []
        for _ in 0..<7 { made.append(try await it.create(nil).pod) }
        var seen: [PodID] = []
        var cursor: String?
        repeat {
            let page = try await it.client.list(ListPods(limit: 3, cursor: cursor))
            seen += page.pods.map(\.pod)
            cursor = page.next
        } while cursor != nil
        #expect(seen == made.reversed())
        let error = await #expect(throws: ErrorBody.self) { try await it.client.list(ListPods(cursor: "garbage")) }
        #expect(error?.code == .badRequest)
        await it.end()
    }

    @Test("A running pod is in the list of live ones, however many newer ones have ended")
    func liveBehindEnded() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        let old = try await it.create("old")
        for index in 0..<12 {
            let pod = try await it.create("short-\(index)")
            try await it.say(pod.pod, .exit(.code(0)), seq: 2)
            try await it.pod(pod.pod.text) { !$0.lifecycle.isLive }
        }
        let page = try await it.client.list(ListPods(live: true, limit: 5))
        #expect(page.pods.map(\.pod) == [old.pod])
        #expect(page.next == nil)
        #expect(try await it.client.list(ListPods(at: .now(), live: true, limit: 5)).pods.map(\.pod) == [old.pod])
        await it.end()
    }

    @Test("A runner goes offline after three missed beats, not after one, and comes back; its clock's offset is kept")
    func beats() async throws {
        let it = try await Surroundings.start()
        let store = RegistryStore(pool: it.pool)
        let start = Timestamp.now()
        func beat(_ time: Timestamp) async throws {
            try await store.beat(Heartbeat(runner: "r", host: "h", version: "1", sent: time, clockOffset: 70_000, pods: []), at: time)
        }
        try await beat(start)
        #expect(try await store.markOffline(now: start + .milliseconds(6200)) == [])
        try await beat(start + .milliseconds(6400))
        #expect(try await store.markOffline(now: start + .milliseconds(16_000)) == [])
        #expect(try await store.markOffline(now: start + .milliseconds(16_600)) == ["r"])
        #expect(try await store.markOffline(now: start + .milliseconds(17_000)) == [])
        #expect(try await it.client.runners().first?.state == "offline")
        let wanted = await #expect(throws: ErrorBody.self) {
            try await it.client.create(CreatePod(spec: PodSpec(command: ["bash"], runner: "r"), author: .alice))
        }
        #expect(wanted?.code == .unavailable)
        try await beat(start + .seconds(60))
        let runner = try #require(try await it.client.runners().first)
        #expect(runner.state == "online")
        #expect(runner.clockOffset == 70_000)
        await it.end()
    }

    @Test("The least loaded runner is chosen")
    func load() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner("a")
        try await it.addRunner("b")
        var counts: [String: Int] = [:]
        for _ in 0..<6 { counts[try await it.create(nil).runner ?? "", default: 0] += 1 }
        #expect(counts == ["a": 3, "b": 3])
        await it.end()
    }

    @Test("A runner that was killed while it started a pod is asked again; a pod that has ended meanwhile is not started twice")
    func runnerKilledAtStart() async throws {
        let it = try await Surroundings.start()
        let service = RegistryService(store: RegistryStore(pool: it.pool), runners: BusRunnerCalls(bus: it.bus, patience: .milliseconds(300)))
        let asked = Mutex<[PodID]>([])
        try await it.addRunner { request async throws(ErrorBody) in
            let count = asked.withLock { asked in
                asked.append(request.pod)
                return asked.count { $0 == request.pod }
            }
            if request.spec.command == ["brief"] {
                try? await it.say(request.pod, .exit(.code(3)), seq: 2)
                _ = try? await it.pod(request.pod.text) { $0.lifecycle == .exited }
            }
            // As one that dies with the request.
            if count == 1 || request.spec.command == ["brief"] { try? await Task.sleep(for: .seconds(600)) }
            return Started(pid: 7, cwd: "/work", agent: "shell", worktreePath: nil, sessionID: nil, argv: request.spec.command)
        }
        let pod = try await service.create(CreatePod(spec: PodSpec(name: "long", command: ["long"]), author: .alice))
        #expect(pod.lifecycle == .running && pod.pid == 7)
        #expect(asked.withLock { $0 } == [pod.pod, pod.pod])
        let brief = try await service.create(CreatePod(spec: PodSpec(name: "brief", command: ["brief"]), author: .alice))
        #expect(brief.lifecycle == .exited && brief.exit == .code(3))
        await it.end()
    }

    @Test("A registry that was killed while it started a pod is asked again, under the same key")
    func registryKilledAtStart() async throws {
        let nats = try await NATSServer.start()
        let bus = try await nats.connect(name: "registry")
        let keys = Mutex<[String?]>([])
        let made = Pod(pod: .random(), name: "made", spec: PodSpec(command: ["x"]), lifecycle: .running, created: .now())
        try bus.answer(Subjects.podsCreate, CreatePod.self) { request in
            let isFirst = keys.withLock { keys in
                keys.append(request.idempotencyKey)
                return keys.count == 1
            }
            if isFirst { try await Task.sleep(for: .seconds(600)) }
            return made
        }
        try await bus.flush()
        let client = RegistryClient(bus: try await nats.connect(name: "client"), patience: .milliseconds(300))
        let pod = try await client.create(CreatePod(spec: PodSpec(command: ["x"]), author: .alice))
        #expect(pod.pod == made.pod)
        let seen = keys.withLock { $0 }
        #expect(seen.count == 2 && seen[0] == seen[1] && seen[0] != nil)
    }

    @Test("A runner that no longer has a pod loses it, but only after some beats and some time")
    func lostPods() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        let pod = try await it.create("gone")
        let clock = Mutex(Timestamp.now())
        let service = RegistryService(store: RegistryStore(pool: it.pool), runners: BusRunnerCalls(bus: it.bus), now: { clock.withLock { $0 } })
        func beat(after seconds: Int64, missing: [PodID: Int]) async throws -> [PodID: Int] {
            clock.withLock { $0 = $0 + .seconds(seconds) }
            let beat = Heartbeat(runner: "one", host: "h", version: "1", sent: .now(), pods: [])
            return try await service.beat(beat, missing: missing).missing ?? [:]
        }
        #expect(try await beat(after: 5, missing: [:]) == [:])
        var missing = try await beat(after: 20, missing: [:])
        #expect(missing == [pod.pod: 1])
        missing = try await beat(after: 5, missing: missing)
        #expect(try await it.client.get("gone").lifecycle == .running)
        missing = try await beat(after: 5, missing: missing)
        #expect(missing == [:])
        let lost = try await it.client.get("gone")
        #expect(lost.lifecycle == .lost)
        #expect(lost.reason?.contains("one") == true)
        await it.end()
    }

    @Test("A resume starts a new pod that is linked with the old one and has its session and directory")
    func resume() async throws {
        let it = try await Surroundings.start()
        let requests = Mutex<[StartPod]>([])
        try await it.addRunner { request throws(ErrorBody) in
            requests.withLock { $0.append(request) }
            return Started(pid: 7, cwd: "/work", agent: "claude", worktreePath: "/work", sessionID: "session-1", argv: request.spec.command)
        }
        let old = try await it.create("fix", command: ["claude", "--model", "x"])
        let tooEarly = await #expect(throws: ErrorBody.self) { try await it.client.resume(PodRequest(pod: old.pod, author: .alice)) }
        #expect(tooEarly?.code == .conflict)
        try await it.say(old.pod, .resize(columns: 132, rows: 43, author: nil), seq: 2)
        try await it.say(old.pod, .exit(.code(0)), seq: 3)
        try await it.pod("fix") { $0.lifecycle == .exited }

        let new = try await it.client.resume(PodRequest(pod: old.pod, author: .alice, idempotencyKey: "r"))
        #expect(new.pod != old.pod)
        #expect(new.name == "fix")
        #expect(new.resumedFrom == old.pod)
        #expect((new.columns, new.rows) == (132, 43))
        let last = try #require(requests.withLock { $0.last })
        #expect(last.resumedFrom == old.pod)
        #expect(last.sessionID == "session-1")
        #expect(last.worktreePath == "/work")
        #expect(last.spec.command == ["claude", "--model", "x"])
        #expect(try await it.client.get(old.pod.text).resumedBy == new.pod)
        // The same request again is the same pod; another one is refused while it runs.
        #expect(try await it.client.resume(PodRequest(pod: old.pod, author: .alice, idempotencyKey: "r")).pod == new.pod)
        let twice = await #expect(throws: ErrorBody.self) { try await it.client.resume(PodRequest(pod: old.pod, author: .alice)) }
        #expect(twice?.code == .conflict && twice?.message.contains("was resumed already") == true, "\(twice?.message ?? "")")
        let otherKey = await #expect(throws: ErrorBody.self) { try await it.client.resume(PodRequest(pod: old.pod, author: .alice, idempotencyKey: "other")) }
        #expect(otherKey?.message.contains("was resumed already") == true, "\(otherKey?.message ?? "")")
        await it.end()
    }

    @Test("An imported recording is a pod that is not live, may share a live pod's name, and ends when it is recorded")
    func imports() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        let live = try await it.create("demo")
        let started = Timestamp(microseconds: 1_600_000_000_000_000)
        let id = PodID.random()
        let request = ImportPod(pod: id, name: "demo", command: ["bash"], columns: 90, rows: 25, started: started, author: .alice)
        let pod = try await it.client.importPod(request)
        #expect(pod.imported && !pod.lifecycle.isLive && pod.created == started)
        #expect(try await it.client.get("demo").pod == live.pod)
        try await it.say(id, .start(.init(argv: ["bash"], columns: 90, rows: 25, imported: true)), seq: 1, at: started)
        try await it.say(id, .exit(.code(0)), seq: 9, at: started + .seconds(60))
        _ = try await it.bus.request(Subjects.event("recording", id.text, "complete"), payload: Array("{}".utf8))
        let ended = try await it.pod(id.text) { $0.lifecycle == .ended }
        #expect(ended.exited == started + .seconds(60))
        #expect(try await it.client.get(id.text, at: started + .seconds(30)).lifecycle == .running)
        await it.end()
    }

    @Test("Garbled control frames are passed over, and a pod nobody knows is taken in")
    func garbledAndUnknown() async throws {
        let it = try await Surroundings.start()
        let id = PodID.random()
        _ = try await it.bus.request("pty.\(id.shard).\(id).ctl", payload: Array("no frame".utf8))
        let bad = Frame(pod: id, seq: 1, time: .now(), kind: .ctl, bytes: Array("{\"kind\":7}".utf8))
        _ = try await it.bus.request(bad.subject, payload: bad.bytes, headers: bad.headers)
        try await it.say(id, .start(.init(argv: ["vim"], columns: 70, rows: 20, name: "lost-and-found")), seq: 2)
        let pod = try await it.pod("lost-and-found") { $0.lifecycle == .running }
        #expect(pod.pod == id)
        #expect(pod.columns == 70)
        await it.end()
    }

    @Test("What happened while the registry was away is known when it is back")
    func restart() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        let pod = try await it.create("patient")
        await it.server.stop()
        try await it.say(pod.pod, .exit(.code(0)), seq: 4)
        let again = try await RegistryServer.start(
            bus: it.bus, pool: it.pool, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, offlineAfter: .seconds(3600))
        try await it.pod("patient") { $0.lifecycle == .exited }
        await again.stop()
        await it.bus.close()
        it.pool.close()
    }

    @Test("A bad request is refused with the field's name and leaves no pod")
    func badRequests() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        for spec in [
            PodSpec(command: []), PodSpec(name: "a b", command: ["x"]), PodSpec(command: ["x"], columns: 0), PodSpec(command: ["x"], rows: 9999),
        ] {
            let error = await #expect(throws: ErrorBody.self) { try await it.client.create(CreatePod(spec: spec, author: .alice)) }
            #expect(error?.code == .badRequest)
        }
        let answer = try await it.bus.request(Subjects.podsCreate, payload: Array("{\"spec\":3}".utf8))
        #expect(Reply.error(in: answer.payload)?.code == .badRequest)
        #expect(try await it.client.list().pods.isEmpty)
        await it.end()
    }
}
