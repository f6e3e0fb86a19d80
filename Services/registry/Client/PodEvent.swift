public import Contract

/// The payload of `event.pod.<id>.<what>`, kept in stream `EVENTS`.
public struct PodEvent: Sendable, Codable, Equatable {
    /// `created`, `started`, `exited`, `crashed`, `lost`, `ended`, `resumed`, `resized`, `changed`, `imported`.
    public var what: String
    /// Since when it holds.
    public var time: Timestamp
    /// The pod as it is from then on.
    public var pod: Pod

    public init(what: String, time: Timestamp, pod: Pod) {
        self.what = what
        self.time = time
        self.pod = pod
    }
}

/// The payload of `event.runner.<runner>.<what>`.
public struct RunnerEvent: Sendable, Codable, Equatable {
    /// `online`, `offline`.
    public var what: String
    public var time: Timestamp
    public var runner: String

    public init(what: String, time: Timestamp, runner: String) {
        self.what = what
        self.time = time
        self.runner = runner
    }
}
