// Fields are called as the NATS services protocol calls them in its JSON.
// swift-format-ignore-file: AlwaysUseLowerCamelCase
internal import FoundationEssentials
internal import Synchronization

/// Answers the NATS services protocol (`$SRV.PING`, `INFO`, `STATS`), so that `nats micro ls` and `stats` show this service.
/// Source: NATS ADR-32.
public final class Microservice: Sendable {
    /// What `STATS` tells of one endpoint.
    private struct Endpoint: Sendable {
        var name: String
        var subject: String
        var queue: String
        var requests: UInt64 = 0
        var errors: UInt64 = 0
        var lastError = ""
        var processingNanoseconds: Int64 = 0
    }

    private struct Ping: Encodable {
        var type: String
        var name: String
        var id: String
        var version: String
        var metadata: [String: String]
    }

    private struct Info: Encodable {
        struct Endpoint: Encodable {
            var name: String
            var subject: String
            var queue_group: String
            // Some clients, as nats-py, do not read an endpoint without it.
            var metadata: [String: String] = [:]
        }
        var type = "io.nats.micro.v1.info_response"
        var name: String
        var id: String
        var version: String
        var metadata: [String: String]
        var description: String
        var endpoints: [Endpoint]
    }

    private struct Stats: Encodable {
        struct Endpoint: Encodable {
            var name: String
            var subject: String
            var queue_group: String
            var num_requests: UInt64
            var num_errors: UInt64
            var last_error: String
            var processing_time: Int64
            var average_processing_time: Int64
            // The protocol leaves it out where there is nothing; nats-py wants it.
            var data: [String: String] = [:]
        }
        var type = "io.nats.micro.v1.stats_response"
        var name: String
        var id: String
        var version: String
        var metadata: [String: String]
        var started: String
        var endpoints: [Endpoint]
    }

    public let name: String
    public let id: String
    public let version: String
    public let summary: String
    private let metadata: [String: String]
    private let started: String
    private let endpoints = Mutex<[Endpoint]>([])

    /// - Parameters:
    ///   - name: letters, digits, `-` and `_`.
    ///   - id: unique to this instance.
    ///   - version: a semantic version.
    ///   - started: RFC 3339.
    public init(
        _ connection: BusConnection, name: String, id: String, version: String, summary: String, started: String,
        metadata: [String: String] = [:]
    ) throws(BusError) {
        self.name = name
        self.id = id
        self.version = version
        self.summary = summary
        self.started = started
        self.metadata = metadata
        for (verb, answer) in [("PING", ping), ("INFO", info), ("STATS", stats)] as [(String, @Sendable () -> [UInt8])] {
            for suffix in ["", ".\(name)", ".\(name).\(id)"] {
                try connection.serve("$SRV.\(verb)\(suffix)") { _ in BusReply(answer()) }
            }
        }
    }

    /// Names an endpoint that is served elsewhere; returns what counts its requests.
    /// - Returns: to be called after each request with its duration and its error, if any.
    public func addEndpoint(name: String, subject: String, queue: String) -> EndpointCounter {
        let index = endpoints.withLock { endpoints in
            endpoints.append(Endpoint(name: name, subject: subject, queue: queue))
            return endpoints.count - 1
        }
        return EndpointCounter { [weak self] duration, error in
            self?.endpoints.withLock { endpoints in
                endpoints[index].requests += 1
                endpoints[index].processingNanoseconds += duration.nanoseconds
                if let error {
                    endpoints[index].errors += 1
                    endpoints[index].lastError = error
                }
            }
        }
    }

    @Sendable private func ping() -> [UInt8] {
        encode(Ping(type: "io.nats.micro.v1.ping_response", name: name, id: id, version: version, metadata: metadata))
    }

    @Sendable private func info() -> [UInt8] {
        let list = endpoints.withLock { $0.map { Info.Endpoint(name: $0.name, subject: $0.subject, queue_group: $0.queue) } }
        return encode(Info(name: name, id: id, version: version, metadata: metadata, description: summary, endpoints: list))
    }

    @Sendable private func stats() -> [UInt8] {
        let list = endpoints.withLock { endpoints in
            endpoints.map { endpoint in
                Stats.Endpoint(
                    name: endpoint.name, subject: endpoint.subject, queue_group: endpoint.queue, num_requests: endpoint.requests,
                    num_errors: endpoint.errors, last_error: endpoint.lastError, processing_time: endpoint.processingNanoseconds,
                    average_processing_time: endpoint.requests == 0 ? 0 : endpoint.processingNanoseconds / Int64(endpoint.requests))
            }
        }
        return encode(Stats(name: name, id: id, version: version, metadata: metadata, started: started, endpoints: list))
    }

    private func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and numbers only: they always encode.
        return (try? encoder.encode(value)).map { [UInt8]($0) } ?? []
    }
}

/// Counts the requests of one endpoint.
///
/// A struct, not a function, because services keep it in a `Mutex`: a function there is wrapped anew with every look at it.
public struct EndpointCounter: Sendable {
    private let count: @Sendable (Duration, String?) -> Void

    init(_ count: @escaping @Sendable (Duration, String?) -> Void) { self.count = count }

    /// - Parameter error: what went wrong, if anything did.
    public func callAsFunction(_ took: Duration, _ error: String?) { count(took, error) }
}
