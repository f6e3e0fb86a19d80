/// Every subject on the bus, spelled once.
public enum Subjects {
    // MARK: Terminals

    /// Where a pod's frames of one kind are published.
    public static func pty(_ pod: PodID, _ kind: FrameKind) -> String { "pty.\(pod.shard).\(pod).\(kind.rawValue)" }
    /// All frames of one pod.
    public static func pty(_ pod: PodID) -> String { "pty.\(pod.shard).\(pod).*" }
    /// All frames of one shard.
    public static func pty(_ shard: Shard) -> String { "pty.\(shard).>" }
    /// All control frames.
    public static let allControl = "pty.*.*.ctl"
    /// What stream `PTY` holds.
    public static let allTerminals = "pty.>"

    /// Takes a PTY subject apart; nil if it is not one.
    public static func parsePTY(_ subject: String) -> (pod: PodID, kind: FrameKind)? {
        var subject = subject
        return subject.withUTF8 { parsePTY($0) }
    }

    /// `pty.`, two digits, `.`, the pod's 13 characters, `.`, the kind. Byte by byte, since every frame of every pod comes by here.
    private static func parsePTY(_ bytes: UnsafeBufferPointer<UInt8>) -> (pod: PodID, kind: FrameKind)? {
        let dot = UInt8(ascii: "."), zero = UInt8(ascii: "0")
        guard bytes.count > 21, bytes.starts(with: "pty.".utf8), bytes[6] == dot, bytes[20] == dot,
            let pod = PodID(utf8: UnsafeBufferPointer(rebasing: bytes[7..<20]))
        else { return nil }
        let shard = pod.shard.number
        guard Int(bytes[4]) - Int(zero) == shard / 10, Int(bytes[5]) - Int(zero) == shard % 10,
            let kind = FrameKind(rawValue: String(decoding: bytes[21...], as: UTF8.self))
        else { return nil }
        return (pod, kind)
    }

    // MARK: Requests to a shim

    public static func shimWrite(_ pod: PodID) -> String { "shim.\(pod).write" }
    public static func shimResize(_ pod: PodID) -> String { "shim.\(pod).resize" }
    public static func shimSignal(_ pod: PodID) -> String { "shim.\(pod).signal" }
    public static func shimKeyframe(_ pod: PodID) -> String { "shim.\(pod).keyframe" }
    public static func shimMarker(_ pod: PodID) -> String { "shim.\(pod).marker" }
    /// What of an input that may be made but once was typed: ``AskWritten`` → ``Written``.
    public static func shimWritten(_ pod: PodID) -> String { "shim.\(pod).written" }
    /// Ends the pod's process: politely, then by force.
    public static func shimStop(_ pod: PodID) -> String { "shim.\(pod).stop" }
    public static func shimAll(_ pod: PodID) -> String { "shim.\(pod).*" }

    // MARK: Answers

    /// Where a service's answers come to: below it, only that service may subscribe.
    public static func inbox(service: String) -> String { "_INBOX.\(service)" }
    public static func inbox(runner: String) -> String { "_INBOX.runner.\(runner)" }
    public static func inbox(shim: PodID) -> String { "_INBOX.shim.\(shim)" }

    // MARK: Live views

    public static func viewDelta(_ pod: PodID) -> String { "view.\(pod).delta" }
    /// The same with secrets hidden.
    public static func viewMasked(_ pod: PodID) -> String { "view.\(pod).masked" }
    public static func viewKeyframe(_ pod: PodID) -> String { "view.\(pod).keyframe" }
    /// Requests to the relay that owns the shard: `attach`, `write`, `resize`, `screen`, `watch`, `release`, `take`.
    public static func relay(_ shard: Shard, _ verb: String) -> String { "relay.\(shard).\(verb)" }

    // MARK: Recorder

    /// Requests to the recorder that owns the shard: `seek`, `play`, `timeline`, `verify`, `hold`, `search`.
    public static func recorder(_ shard: Shard, _ verb: String) -> String { "recorder.\(shard).\(verb)" }
    public static let recorderSearch = "recorder.search"
    public static let recorderUsage = "recorder.usage"

    // MARK: Detector

    /// Requests to the detector that owns the shard: `explain`.
    public static func detector(_ shard: Shard, _ verb: String) -> String { "detector.\(shard).\(verb)" }
    public static let detectorAgents = "detector.agents"
    /// What the detector remembers of a pod, for whoever takes it over; the newest is kept in stream `DETECTOR`.
    public static func detectorMemory(_ pod: PodID) -> String { "detector.memory.\(pod)" }
    public static let allDetectorMemory = "detector.memory.*"
    /// Every change of a pod's status, kept in stream `EVENTS`; ``PodStatus`` JSON.
    public static func statusChanged(_ pod: PodID) -> String { event("status", pod.text, "changed") }
    public static let allStatusChanges = "event.status.*.changed"

    // MARK: Registry and runners

    public static let runnersHeartbeat = "registry.runners.heartbeat"
    public static let runnersList = "registry.runners.list"
    public static let podsCreate = "registry.pods.create"
    public static let podsImport = "registry.pods.import"
    public static let podsGet = "registry.pods.get"
    public static let podsList = "registry.pods.list"
    public static let podsStop = "registry.pods.stop"
    public static let podsResume = "registry.pods.resume"
    public static let credentialsCheck = "registry.credentials.check"
    public static let credentialsCreate = "registry.credentials.create"
    public static let credentialsList = "registry.credentials.list"
    public static let credentialsRevoke = "registry.credentials.revoke"
    /// ``AuditEntry`` JSON from whoever lets people and agents in, kept in stream `AUDIT`.
    public static let auditEntry = "audit.entry"
    public static let auditList = "registry.audit.list"
    public static let auditVerify = "registry.audit.verify"
    public static let allCredentialEvents = "event.credential.*.*"
    public static let podsHistory = "registry.pods.history"
    /// What a runner reports of a pod that no control frame can say (start failed, shim found dead).
    public static let podsReport = "registry.pods.report"
    public static func runner(_ runner: String, _ verb: String) -> String { "runner.\(runner).\(verb)" }
    /// From a runner to a shim of its own: ends the pod's process, politely, then by force.
    public static func runnerStop(_ runner: String, _ pod: PodID) -> String { "runner.\(runner).pod.\(pod).stop" }

    // MARK: Bindings, waits, channels

    public static let bindingsRequest = "bindings.request"
    public static let bindingsAccept = "bindings.accept"
    public static let bindingsReject = "bindings.reject"
    public static let bindingsRevoke = "bindings.revoke"
    public static let bindingsGet = "bindings.get"
    public static let bindingsList = "bindings.list"
    public static let bindingsPolicy = "bindings.policy"
    public static let bindingsSnapshot = "bindings.snapshot"
    public static let waitsCreate = "waits.create"
    public static let waitsGet = "waits.get"
    public static let waitsList = "waits.list"
    public static let waitsCancel = "waits.cancel"
    public static let attentionList = "attention.list"
    public static let channelsCreate = "channels.create"
    public static let channelsJoin = "channels.join"
    public static let channelsLeave = "channels.leave"
    public static let channelsGet = "channels.get"
    public static let channelsList = "channels.list"
    public static let channelsPost = "channels.post"
    public static let channelsMessages = "channels.messages"
    public static let channelsMessage = "channels.message"
    public static let channelsRead = "channels.read"
    public static let channelsAck = "channels.ack"
    public static let webhooksAdd = "webhooks.add"
    public static let webhooksList = "webhooks.list"
    public static let webhooksRemove = "webhooks.remove"

    // MARK: Status, events, services

    public static func status(_ pod: PodID) -> String { "status.\(pod)" }
    public static let allStatus = "status.*"
    /// `event.<area>.<id>.<what>`; kept in stream `EVENTS`.
    public static func event(_ area: String, _ id: String, _ what: String) -> String { "event.\(area).\(id).\(what)" }
    public static let allEvents = "event.>"
    public static func alive(service: String, instance: String) -> String { "svc.\(service).\(instance).alive" }
    public static func allAlive(service: String) -> String { "svc.\(service).*.alive" }
    /// A subject without what varies: `shim.{pod}.write`. There are few of them, however many pods there are.
    public static func template(_ subject: String) -> String {
        var tokens = subject.split(separator: ".", omittingEmptySubsequences: false)
        guard tokens.count > 2 else { return subject }
        let second: Substring? =
            switch tokens[0] {
            case "relay", "recorder", "detector": Shard(tokens[1]) == nil ? nil : "{shard}"
            case "runner": "{runner}"
            default: nil
            }
        if let second { tokens[1] = second }
        for index in tokens.indices.dropFirst() where PodID(tokens[index]) != nil { tokens[index] = "{pod}" }
        return tokens.joined(separator: ".")
    }

    /// Asks every instance of a service to say at once that it lives.
    public static func aliveQuery(service: String) -> String { "svc.\(service).query" }
}

/// Names of the JetStream streams.
public enum Streams {
    public static let terminals = "PTY"
    public static let events = "EVENTS"
    public static let detector = "DETECTOR"
    public static let audit = "AUDIT"
}

/// Names of message headers.
public enum Headers {
    /// `<pod>.<seq>`: JetStream's deduplication id, and the frame's sequence number.
    public static let messageID = "Nats-Msg-Id"
    /// The same, of a copy for those who watch: it is not stored, and the stream must not take the frame itself for a double of it.
    public static let copyID = "Sb-Copy-Id"
    /// A stream of another name does not store the message.
    private static let expectedStream = "Nats-Expected-Stream"
    /// UTC microseconds, decimal.
    public static let time = "Sb-Time"
    /// `<kind>:<id>`, see ``Author``.
    public static let author = "Sb-Author"
    /// The way an input came: `attach`, `send`, `web`, `approve`, `channel:<message>`.
    public static let via = "Sb-Via"
    /// The newest output frame that the author of an input saw.
    public static let ifSeq = "Sb-If-Seq"
    /// A name of this very input: a shim types it once, and answers the same frame when asked again.
    public static let once = "Sb-Once"
    /// JSON that describes a binary payload.
    public static let meta = "Sb-Meta"

    /// The headers of a frame's copy that no stream stores, from those of the frame.
    @Sendable public static func unstored(_ headers: [(String, String)]) -> [(String, String)] {
        headers.map { $0.0 == messageID ? (copyID, $0.1) : $0 } + [(expectedStream, "none")]
    }
}
