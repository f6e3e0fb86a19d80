internal import Contract

/// Who may do what on the bus: the one place that says it.
///
/// Core services answer by a list of inboxes, not by `answers`: nats-server remembers the reply subject of every message that comes to somebody who
/// has that leave, and what reads terminals gets thousands a second (above 4096 it searches its whole memory for each). An inbox's name is random,
/// and only its owner may subscribe to it.
extension Permissions {
    // MARK: - Services

    static func of(_ service: BusIdentity.Service) -> Permissions {
        let rights: Permissions =
            switch service {
            case .relay: relay
            case .recorder: recorder
            case .detector: detector
            case .registry: registry
            case .bindings: bindings
            case .api: api
            }
        let name = service.rawValue
        let common = Permissions(
            // Whoever starts first makes the streams.
            publish: [
                "$JS.API.STREAM.CREATE.\(Streams.terminals)", "$JS.API.STREAM.CREATE.\(Streams.events)",
                "$JS.API.STREAM.CREATE.\(Streams.audit)", "event.alarm.\(name).*",
            ]
                + (BusIdentity.Service.allCases.map { Subjects.inbox(service: $0.rawValue) } + [tapInbox, adminInbox]).map { $0 + ".>" },
            subscribe: [Subjects.inbox(service: name) + ".>"] + services(name, "*"))
        return Permissions(
            publish: common.publish + rights.publish, publishRefused: rights.publishRefused, subscribe: common.subscribe + rights.subscribe,
            subscribeRefused: rights.subscribeRefused)
    }

    /// The NATS services protocol: of all, of those of a name, of one.
    private static func services(_ name: String, _ id: String) -> [String] { ["", ".\(name)", ".\(name).\(id)"].map { "$SRV.*" + $0 } }

    static let tapInbox = Subjects.inbox(service: "tap")
    static let adminInbox = Subjects.inbox(service: "admin")

    /// Durable consumers, by stream: each belongs to one service, which alone may take from it.
    private static let durables: [(service: BusIdentity.Service, stream: String, name: String)] = [
        (.registry, Streams.terminals, "registry-control"), (.registry, Streams.events, "registry-recorded"),
        (.registry, Streams.events, "registry-status"), (.registry, Streams.audit, "registry-audit"), (.bindings, Streams.events, "bindings-pods"),
        (.bindings, Streams.events, "bindings-runners"),
    ]

    private static func membership(_ service: String) -> [String] { ["svc.\(service).*.alive", Subjects.aliveQuery(service: service)] }

    private static func newest(_ streams: String...) -> [String] { streams.map { "$JS.API.STREAM.MSG.GET.\($0)" } }

    /// To follow a stream by a consumer that nobody else knows.
    private static func follow(_ stream: String) -> (publish: [String], refused: [String]) {
        (
            ["$JS.API.CONSUMER.CREATE.\(stream)", "$JS.API.CONSUMER.MSG.NEXT.\(stream).*", "$JS.API.CONSUMER.DELETE.\(stream).*"],
            durables.filter { $0.stream == stream }.flatMap {
                ["$JS.API.CONSUMER.MSG.NEXT.\(stream).\($0.name)", "$JS.API.CONSUMER.DELETE.\(stream).\($0.name)"]
            }
        )
    }

    private static func durables(of service: BusIdentity.Service) -> [String] {
        durables.filter { $0.service == service }.flatMap {
            [
                "$JS.API.CONSUMER.DURABLE.CREATE.\($0.stream).\($0.name)", "$JS.API.CONSUMER.MSG.NEXT.\($0.stream).\($0.name)",
                "$JS.ACK.\($0.stream).\($0.name).>",
            ]
        }
    }

    private static let podQuestions = [Subjects.podsGet, Subjects.podsList, Subjects.podsHistory]
    private static let grants = (publish: [Subjects.bindingsSnapshot], subscribe: ["event.binding.>"])

    /// The only one that may type into terminals.
    private static let relay = Permissions(
        publish: ["shim.*.write", "shim.*.written", "shim.*.resize", "shim.*.keyframe", "shim.*.marker", "view.*.delta", "view.*.masked"] + podQuestions + grants.publish
            + newest(Streams.terminals, Streams.events) + membership("relay"),
        subscribe: [Subjects.allTerminals, Subjects.allStatus, "relay.*.*", "view.*.keyframe"] + grants.subscribe + membership("relay"))

    private static let recorder = Permissions(
        publish: ["event.recording.*.*", "$JS.API.STREAM.INFO.\(Streams.terminals)"] + podQuestions + grants.publish + newest(Streams.terminals)
            + follow(Streams.terminals).publish + membership("recorder"),
        publishRefused: follow(Streams.terminals).refused,
        subscribe: ["recorder.>"] + grants.subscribe + membership("recorder"))

    private static let detector = Permissions(
        publish: [
            Subjects.allStatus, Subjects.allStatusChanges, Subjects.allDetectorMemory, "shim.*.keyframe", "recorder.*.seek", "recorder.*.play",
            "recorder.*.timeline", "$JS.API.STREAM.CREATE.\(Streams.detector)", "$JS.API.STREAM.PURGE.\(Streams.detector)",
            "$JS.API.STREAM.INFO.\(Streams.terminals)", Subjects.waitsList,
        ] + podQuestions + grants.publish + newest(Streams.terminals, Streams.events, Streams.detector) + follow(Streams.terminals).publish + membership("detector"),
        publishRefused: follow(Streams.terminals).refused,
        subscribe: [Subjects.allTerminals, "detector.*.*", Subjects.detectorAgents, Subjects.allEvents] + membership("detector"))

    private static let registry = Permissions(
        publish: [
            "runner.*.start", "runner.*.resume", "runner.*.stop", "event.pod.*.*", "event.runner.*.*", Subjects.allCredentialEvents,
            Subjects.inbox(runner: "*") + ".>",
        ] + durables(of: .registry) + membership("registry"),
        subscribe: ["registry.>"] + membership("registry"))

    private static let bindings = Permissions(
        publish: ["event.binding.*.*", "event.wait.*.*", "event.attention.*.*", "event.channel.*.*", "relay.*.*", "recorder.>"] + podQuestions
            + durables(of: .bindings) + newest(Streams.events) + membership("bindings"),
        subscribe: ["bindings.*", "waits.*", "attention.*", "webhooks.*", "channels.*", Subjects.allStatus, Subjects.allEvents, "view.*.delta"]
            + membership("bindings"))

    /// Everything that a person may ask for passes here; typing goes through the relay's gate. Frames it publishes for recordings that are imported.
    private static let api = Permissions(
        publish: [
            "relay.*.*", "recorder.>", "detector.*.explain", Subjects.detectorAgents, "bindings.*", "waits.*", "attention.*", "webhooks.*", "channels.*",
            "registry.>",
            "shim.*.signal", "shim.*.marker", "view.*.keyframe", "pty.*.*.*", Subjects.auditEntry, "$JS.API.STREAM.INFO.\(Streams.events)",
        ] + newest(Streams.events) + follow(Streams.events).publish,
        publishRefused: [Subjects.runnersHeartbeat, Subjects.podsReport] + follow(Streams.events).refused,
        subscribe: [Subjects.allTerminals, "view.*.delta", "view.*.masked", Subjects.allStatus, Subjects.allEvents])

    // MARK: - Hosts

    /// Nothing of any terminal; only its own pods can be told to stop.
    static func ofRunner(_ name: String) -> Permissions {
        Permissions(
            publish: [Subjects.runnersHeartbeat, Subjects.podsReport, "runner.\(name).pod.*.stop", Subjects.inbox(runner: name) + ".>"],
            subscribe: ["runner.\(name).*", Subjects.inbox(runner: name) + ".>"] + services("runner", name), answers: Answers(count: 1, within: .seconds(300)))
    }

    /// What every shim's key may at most be used for: the variables are what its credential says, and a runner's credential cannot sign one.
    /// Source of the functions: nats-server 2.9, scoped signing keys.
    static let shims: Permissions = {
        let (pod, shard, runner) = ("{{name()}}", "{{tag(shard)}}", "{{tag(runner)}}")
        let inbox = "\(Subjects.inbox(service: "shim")).\(pod).>"
        return Permissions(
            publish: FrameKind.allCases.map { "pty.\(shard).\(pod).\($0.rawValue)" }
                + ["event.pod.\(pod).spool_full", "$JS.API.DIRECT.GET.\(Streams.terminals).pty.\(shard).\(pod).*", inbox],
            subscribe: ["shim.\(pod).*", "runner.\(runner).pod.\(pod).stop", inbox],
            answers: Answers(count: 1, within: .seconds(300)))
    }()

    // MARK: - People

    /// Sees what happens, but no answers to others and nothing that carries a credential.
    static let tap = Permissions(
        publish: [
            tapInbox + ".>", "$SRV.>", "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.NAMES.*",
            "$JS.API.CONSUMER.LIST.*", "$JS.API.CONSUMER.INFO.*.*",
        ], subscribe: [">"],
        subscribeRefused: ["runner.*.start", "runner.*.resume", "registry.credentials.>", "registry.audit.>", Subjects.auditEntry, "webhooks.>", adminInbox + ".>"]
            + BusIdentity.Service.allCases.map { Subjects.inbox(service: $0.rawValue) + ".>" }
            + [Subjects.inbox(runner: "*") + ".>", Subjects.inbox(service: "shim") + ".>"])
}
