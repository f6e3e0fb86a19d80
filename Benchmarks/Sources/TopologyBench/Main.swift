import APIClient
import Bus
import Contract
import Foundation
import Synchronization
import TestSupport

/// Who waits on whom in a large fleet: how long the topology takes to ask for, and a change of status to reach a subscriber.
///
///     topology-bench PROGRAMS [PODS BINDINGS WAITS]     1000, 5000 and 500 where missing
///
/// Registry, bindings service and API are the programs, with a nats-server and a PostgreSQL of their own. Pods are records without a
/// terminal: the benchmark answers for their runner and says their statuses, as a runner and a detector do.
@main
enum TopologyBench {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let programs = arguments.first else {
            FileHandle.standardError.write(Data("topology-bench PROGRAMS [PODS BINDINGS WAITS]\n".utf8))
            exit(2)
        }
        let numbers = arguments.dropFirst().compactMap { Int($0) }
        do {
            let bench = try await Bench(programs: programs)
            try await bench.fill(
                pods: numbers.first ?? 1000, bindings: numbers.dropFirst().first ?? 5000, waits: numbers.dropFirst(2).first ?? 500)
            try await bench.measure(rounds: 2000)
            bench.end()
            exit(0)
        } catch {
            FileHandle.standardError.write(Data("topology-bench: \(error)\n".utf8))
            exit(1)
        }
    }
}

final class Bench {
    private static let token = "token-of-the-benchmark-1"
    private let nats: NATSServer
    private let postgres: TestPostgres
    private let bus: BusConnection
    private let api: APIClient
    private let folder: String
    private var services: [(name: String, process: ChildProcess)] = []
    private let alive = Alive()
    private var pods: [PodID] { alive.list }
    private var seq: UInt64 = 10

    init(programs: String) async throws {
        nats = try await NATSServer.start()
        postgres = try await TestPostgres.start()
        bus = try await nats.connect(name: "bench")
        let database = try await postgres.makeDatabase()
        folder = FileManager.default.temporaryDirectory.path + "/topology-bench-\(PodID.random())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try "\(Self.token) admin bench\n".write(toFile: folder + "/tokens", atomically: true, encoding: .utf8)
        let port = Int.random(in: 20_000..<32_000)
        api = APIClient(address: "http://127.0.0.1:\(port)", token: Self.token)
        for name in ["registry", "bindings", "api"] {
            let process = try ChildProcess(
                ["\(programs)/switchback-\(name)"],
                environment: [
                    "SWITCHBACK_NATS_URL": nats.url, "SWITCHBACK_DATABASE_URL": database, "SWITCHBACK_HTTP": "127.0.0.1:0",
                    "SWITCHBACK_INSTANCE": name, "SWITCHBACK_API_LISTEN": "127.0.0.1:\(port)", "SWITCHBACK_TOKENS": folder + "/tokens",
                ], log: "\(folder)/\(name).log")
            services.append((name, process))
        }
        try bus.answer(Subjects.runner("bench", "start")) { (_: Done) in
            Started(pid: 1, cwd: "/", agent: nil, worktreePath: nil, sessionID: nil, argv: ["agent"])
        }
        beat(bus, alive)
        let api = api
        try await eventually(within: .seconds(60), "the services did not start; see \(folder)") {
            guard let runners = try? await api.runners(), runners.contains(where: { $0.runner == "bench" }) else { return Bool?.none }
            return (try? await api.topology()) != nil ? true : nil
        }
    }

    func end() {
        for service in services { service.process.end(SIGTERM) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    // MARK: - A fleet

    func fill(pods podCount: Int, bindings: Int, waits: Int) async throws {
        let began = ContinuousClock.now
        for number in 0..<podCount {
            alive.add(try await api.create(PodSpec(name: "pod-\(number)", command: ["agent"], runner: "bench")).pod)
        }
        let pods = pods
        for pod in pods { try say(Bool.random() ? "executing" : "idle", of: pod) }
        print("\(podCount) pods after \(Self.text(began)) s")
        var pairs = Set<[Int]>()
        var times: [Double] = []
        while pairs.count < bindings {
            let pair = [Int.random(in: 0..<podCount), Int.random(in: 0..<podCount)]
            guard pair[0] != pair[1], pairs.insert(pair).inserted else { continue }
            let start = ContinuousClock.now
            let binding = try await api.requestBinding(from: pods[pair[0]].text, to: pods[pair[1]].text, scopes: [.read, .write])
            // One in ten stays pending, as long as that closes no cycle: from the smaller number to the larger.
            if pairs.count % 10 != 0 || pair[0] > pair[1] { _ = try await api.answerBinding(binding.id, .accept) }
            times.append(Self.milliseconds(since: start))
        }
        print("\(bindings) bindings after \(Self.text(began)) s; one took \(Self.quantiles(times)) ms")
        times = []
        for _ in 0..<waits {
            let from = Int.random(in: 0..<(podCount - 1))
            let start = ContinuousClock.now
            _ = try await bus.ask(
                Subjects.waitsCreate,
                CreateWait(
                    waiter: Author(kind: .pod, id: pods[from].text), pods: [pods[Int.random(in: (from + 1)..<podCount)]], mode: .all, until: .ended),
                as: Wait.self)
            times.append(Self.milliseconds(since: start))
        }
        print("\(waits) waits after \(Self.text(began)) s; one took \(Self.quantiles(times)) ms")
    }

    private func say(_ status: String, of pod: PodID) throws {
        seq += 1
        let payload = try JSON.encode(PodStatus(status: status, reason: status == "idle" ? "turn_done" : "tool", since: .now(), seq: seq, evidence: "bench"))
        for subject in [Subjects.status(pod), Subjects.statusChanged(pod)] { try bus.publish(subject, payload: payload) }
    }

    // MARK: - Questions

    func measure(rounds: Int) async throws {
        let pods = pods
        // Each question follows a change, so that none is answered by what was put together for the one before.
        var times: [Double] = []
        var bytes = 0
        for round in 0..<rounds / 4 {
            try say(round % 2 == 0 ? "executing" : "idle", of: pods[round % pods.count])
            try await Task.sleep(for: .milliseconds(5))
            let start = ContinuousClock.now
            bytes = try await api.raw("GET", "/v1/topology").body.count
            times.append(Self.milliseconds(since: start))
        }
        print("topology, \(bytes) bytes: \(Self.quantiles(times)) ms")
        times = []
        for _ in 0..<40 {
            let at = Timestamp.now() - .seconds(Int64.random(in: 0...10))
            let start = ContinuousClock.now
            _ = try await api.raw("GET", "/v1/topology?at=\(at)")
            times.append(Self.milliseconds(since: start))
        }
        print("topology as of a past moment: \(Self.quantiles(times)) ms")

        // From the word of a detector to a subscriber of the API's event stream.
        let heard = Heard()
        let api = api
        let follower = follow(api, heard)
        try await Task.sleep(for: .seconds(1))
        for round in 0..<rounds {
            heard.sent.withLock { $0["\(seq + 1)"] = .now }
            try say(round % 2 == 0 ? "executing" : "idle", of: pods[round % pods.count])
            try await Task.sleep(for: .milliseconds(5))
        }
        try await Task.sleep(for: .seconds(1))
        follower.cancel()
        let latencies = heard.latencies.withLock { $0 }
        print("a change of status to a subscriber: \(latencies.count) of \(rounds) heard, \(Self.quantiles(latencies)) ms")
        for service in services {
            let status = (try? String(contentsOfFile: "/proc/\(service.process.pid)/status", encoding: .utf8)) ?? ""
            let memory = status.split(separator: "\n").first { $0.hasPrefix("VmRSS") }?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
            print("\(service.name): \(memory / 1024) MiB")
        }
    }

    // MARK: - Numbers

    static func milliseconds(since start: ContinuousClock.Instant) -> Double {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return Double(seconds) * 1000 + Double(attoseconds) / 1e15
    }

    private static func text(_ start: ContinuousClock.Instant) -> String { String(format: "%.1f", milliseconds(since: start) / 1000) }

    private static func quantiles(_ times: [Double]) -> String {
        let sorted = times.sorted()
        guard !sorted.isEmpty else { return "none" }
        func quantile(_ share: Double) -> String { String(format: "%.1f", sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) }
        return "p50 \(quantile(0.5)), p99 \(quantile(0.99))"
    }
}

/// What was said, and how long it took to be heard.
final class Heard: Sendable {
    let sent = Mutex<[String: ContinuousClock.Instant]>([:])
    let latencies = Mutex<[Double]>([])

    func hear(_ event: ServerEvent) {
        guard event.event == "status.changed", let key = event.data.range(of: "\"seq\":") else { return }
        let seq = String(event.data[key.upperBound...].prefix { $0.isNumber })
        guard let start = sent.withLock({ $0.removeValue(forKey: seq) }) else { return }
        latencies.withLock { $0.append(Bench.milliseconds(since: start)) }
    }
}

/// Hears every event until the task ends.
func follow(_ api: APIClient, _ heard: Heard) -> Task<Void, Never> {
    Task {
        do {
            try await api.events { event in
                heard.hear(event)
                return true
            }
        } catch {
            if !Task.isCancelled { print("the event stream broke: \(error)") }
        }
    }
}

/// The pods whose runner says that they live.
final class Alive: Sendable {
    private let pods = Mutex<[PodID]>([])
    var list: [PodID] { pods.withLock { $0 } }
    func add(_ pod: PodID) { pods.withLock { $0.append(pod) } }
}

/// A runner's heart.
func beat(_ bus: BusConnection, _ alive: Alive) {
    Task {
        while !Task.isCancelled {
            let beat = Heartbeat(runner: "bench", host: "bench", version: "1", sent: .now(), pods: alive.list)
            if let payload = try? JSON.encode(beat) { _ = try? await bus.request(Subjects.runnersHeartbeat, payload: payload) }
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
