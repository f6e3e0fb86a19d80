/// `event.alarm.<service>.<what>`: something a person should know, and when it is over.
public struct Alarm: Sendable, Codable, Equatable {
    public var time: Timestamp
    public var service: String
    public var instance: String
    /// `storage`, `gap`, `lag`, …: a subject token.
    public var what: String
    /// A sentence for a person.
    public var message: String
    /// False when it is over.
    public var active: Bool

    /// The pod it is about.
    public var pod: PodID?
    /// What was on the screen, where that says what is wrong.
    public var screen: [String]?

    public init(
        time: Timestamp, service: String, instance: String, what: String, message: String, active: Bool, pod: PodID? = nil, screen: [String]? = nil
    ) {
        self.time = time
        self.service = service
        self.instance = instance
        self.what = what
        self.message = message
        self.active = active
        self.pod = pod
        self.screen = screen
    }

    /// The subject it is published on.
    public var subject: String { Subjects.event("alarm", service, what) }
}
