internal import Contract

/// Who connects to the bus.
public enum BusIdentity: Sendable, Hashable, CustomStringConvertible {
    case service(Service)
    /// The daemon of one host.
    case runner(String)
    /// Listens to what happens, and changes nothing.
    case tap
    /// May do everything; for operators in need, and for tests.
    case admin

    /// The services, each with rights of its own.
    public enum Service: String, Sendable, CaseIterable {
        case api, bindings, detector, recorder, registry, relay
    }

    public var description: String {
        switch self {
        case .service(let service): service.rawValue
        case .runner(let name): "runner \(name)"
        case .tap: "tap"
        case .admin: "admin"
        }
    }

    /// Changes whenever the rights of anybody do.
    public static var rightsDigest: String {
        let all = Service.allCases.map { Permissions.of($0) } + [.ofRunner("-"), .shims, .tap]
        return String(fnv1a(all.map { "\($0)" }.joined().utf8), radix: 16)
    }

    /// What it may do.
    public var permissions: Permissions {
        switch self {
        case .service(let service): Permissions.of(service)
        case .runner(let name): Permissions.ofRunner(name)
        case .tap: Permissions.tap
        case .admin: Permissions(publish: [">"], subscribe: [">"])
        }
    }
}

/// Subjects that somebody may publish to and subscribe to; a refusal wins.
public struct Permissions: Sendable, Equatable {
    /// Leave to publish to the reply subjects of requests that came: how many answers, and for how long after.
    public struct Answers: Sendable, Equatable {
        public var count: Int
        public var within: Duration

        public init(count: Int, within: Duration) {
            self.count = count
            self.within = within
        }
    }

    public var publish: [String]
    public var publishRefused: [String]
    public var subscribe: [String]
    public var subscribeRefused: [String]
    public var answers: Answers?

    public init(
        publish: [String], publishRefused: [String] = [], subscribe: [String], subscribeRefused: [String] = [], answers: Answers? = nil
    ) {
        self.publish = publish
        self.publishRefused = publishRefused
        self.subscribe = subscribe
        self.subscribeRefused = subscribeRefused
        self.answers = answers
    }
}
