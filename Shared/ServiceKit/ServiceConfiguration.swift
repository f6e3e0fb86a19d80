public import Bus
public import Logging

internal import FoundationEssentials

/// What every service is told by its environment.
///
/// | variable | meaning |
/// |---|---|
/// | `SWITCHBACK_NATS_URL` | servers, comma-separated, with user and password if needed |
/// | `SWITCHBACK_NATS_CREDS` | a credentials file |
/// | `SWITCHBACK_NATS_CA` | the certificate authorities of the bus, a PEM file: with it the bus is spoken to by TLS |
/// | `SWITCHBACK_NATS_CERT`, `SWITCHBACK_NATS_KEY` | our own certificate for it, with its chain, and the key |
/// | `SWITCHBACK_DATABASE_URL` | PostgreSQL, for the services that keep something |
/// | `SWITCHBACK_NATS_URL_FILE`, `SWITCHBACK_DATABASE_URL_FILE` | files that hold the same, for addresses with a password |
/// | `SWITCHBACK_STREAM_REPLICAS` | on how many NATS servers each stream is kept: 1, 3 or 5; 1 where missing |
/// | `SWITCHBACK_STREAM_BYTES` | what all streams together may take of a NATS server's disk; 10 GB where missing |
/// | `SWITCHBACK_HTTP` | `host:port` of `/healthz`, `/readyz`, `/metrics`; port 0 takes any |
/// | `SWITCHBACK_INSTANCE` | this instance's name; host and process where missing |
/// | `SWITCHBACK_OTLP` | `http://host:port` of a collector that takes traces by OTLP over HTTP; none where missing or empty |
/// | `SWITCHBACK_TRACE_RATIO` | how many of the requests that come without a trace are followed, 0 to 1; 0 where missing |
/// | `SWITCHBACK_LOG_LEVEL` | `trace` … `critical`; `info` where missing |
public struct ServiceConfiguration: Sendable {
    /// `relay`, `recorder`, …
    public var service: String
    /// Unique among the service's instances; a single subject token.
    public var instance: String
    public var natsServers: [String]
    public var natsCredentialsFile: String?
    /// Nil: the bus is spoken to in plain text.
    public var natsTLS: BusOptions.TLS?
    public var databaseURL: String?
    public var http: ListenAddress
    /// How large the streams are made, and on how many servers each is kept.
    public var streams: StreamPlan
    public var logLevel: Logger.Level
    /// Where traces are posted; nil: nowhere.
    public var traceCollector: String?
    /// Of the traces that begin here, how many are sampled: 0 to 1.
    public var traceRatio: Double
    /// The whole environment, for what only one service wants.
    public var environment: [String: String]

    /// Reads the environment; the error names the variable and what it wants.
    public init(service: String, environment: [String: String]) throws(ConfigurationError) {
        self.service = service
        self.environment = environment
        let servers = (try Self.address("SWITCHBACK_NATS_URL", environment) ?? "nats://127.0.0.1:4222").split(separator: ",").map(String.init)
        guard !servers.isEmpty else { throw ConfigurationError("SWITCHBACK_NATS_URL is empty; give nats://host:port") }
        natsServers = servers
        natsCredentialsFile = environment["SWITCHBACK_NATS_CREDS"]
        natsTLS = try Self.tls(environment)
        databaseURL = try Self.address("SWITCHBACK_DATABASE_URL", environment)
        let replicas = environment["SWITCHBACK_STREAM_REPLICAS"] ?? "1"
        guard let streamReplicas = Int(replicas), [1, 3, 5].contains(streamReplicas) else {
            throw ConfigurationError("SWITCHBACK_STREAM_REPLICAS is \"\(replicas)\"; use 1, 3 or 5, no more than there are NATS servers")
        }
        var streamBytes: Int64?
        if let text = environment["SWITCHBACK_STREAM_BYTES"], !text.isEmpty {
            guard let bytes = Int64(text), bytes >= 64 << 20 else {
                throw ConfigurationError("SWITCHBACK_STREAM_BYTES is \"\(text)\"; give a number of bytes, 67108864 (64 MB) at least")
            }
            streamBytes = bytes
        }
        streams = StreamPlan(bytes: streamBytes, replicas: streamReplicas)
        http = try ListenAddress(environment["SWITCHBACK_HTTP"] ?? "127.0.0.1:0", variable: "SWITCHBACK_HTTP")
        let level = environment["SWITCHBACK_LOG_LEVEL"] ?? "info"
        guard let logLevel = Logger.Level(rawValue: level) else {
            throw ConfigurationError("SWITCHBACK_LOG_LEVEL is \"\(level)\"; use trace, debug, info, notice, warning, error or critical")
        }
        self.logLevel = logLevel
        (traceCollector, traceRatio) = try Self.traces(environment)
        let made = "\(ProcessInfo.processInfo.hostName)-\(ProcessInfo.processInfo.processIdentifier)"
        let instance = environment["SWITCHBACK_INSTANCE"] ?? String(made.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") ? $0 : "-" })
        guard !instance.isEmpty, !instance.contains(where: { $0 == "." || $0 == "*" || $0 == ">" || $0.isWhitespace }) else {
            throw ConfigurationError("SWITCHBACK_INSTANCE is \"\(instance)\"; it must be one subject token: no spaces, '.', '*' or '>'")
        }
        self.instance = instance
    }

    private static func tls(_ environment: [String: String]) throws(ConfigurationError) -> BusOptions.TLS? {
        let (authorities, chain, key) = (environment["SWITCHBACK_NATS_CA"], environment["SWITCHBACK_NATS_CERT"], environment["SWITCHBACK_NATS_KEY"])
        guard (chain == nil) == (key == nil) else {
            throw ConfigurationError("SWITCHBACK_NATS_CERT and SWITCHBACK_NATS_KEY belong together; set both or none")
        }
        guard authorities != nil || chain != nil else { return nil }
        return BusOptions.TLS(certificateAuthorities: authorities, certificateChain: chain, privateKey: key)
    }

    private static func traces(_ environment: [String: String]) throws(ConfigurationError) -> (String?, Double) {
        var collector: String?
        if var address = environment["SWITCHBACK_OTLP"], !address.isEmpty {
            while address.hasSuffix("/") { address.removeLast() }
            let rest = address.hasPrefix("http://") ? address.dropFirst(7) : address.hasPrefix("https://") ? address.dropFirst(8) : ""
            guard let first = rest.first, first != "/", !rest.contains(where: { $0.isWhitespace || $0 == "?" || $0 == "#" }) else {
                throw ConfigurationError("SWITCHBACK_OTLP is \"\(address)\"; give http://host:port of a collector, such as http://127.0.0.1:4318")
            }
            collector = address + "/v1/traces"
        }
        guard let text = environment["SWITCHBACK_TRACE_RATIO"], !text.isEmpty else { return (collector, 0) }
        guard let ratio = Double(text), (0...1).contains(ratio) else {
            throw ConfigurationError("SWITCHBACK_TRACE_RATIO is \"\(text)\"; give a number from 0 to 1")
        }
        return (collector, ratio)
    }

    /// A variable's value, or that of the file which the variable with `_FILE` names.
    private static func address(_ variable: String, _ environment: [String: String]) throws(ConfigurationError) -> String? {
        guard let file = environment[variable + "_FILE"], !file.isEmpty else { return environment[variable] }
        guard environment[variable] == nil else {
            throw ConfigurationError("\(variable) and \(variable)_FILE are both set; unset one of them")
        }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ConfigurationError("\(variable)_FILE names \(file), which cannot be read")
        }
        let text = String(decoding: data, as: UTF8.self)
        guard let line = text.split(whereSeparator: \.isNewline).first else {
            throw ConfigurationError("\(variable)_FILE names \(file), which is empty")
        }
        return String(line)
    }

    /// Reads the process's own environment.
    public init(service: String) throws(ConfigurationError) {
        try self.init(service: service, environment: ProcessInfo.processInfo.environment)
    }

    /// The database's URL, or an error that names the variable.
    public func requireDatabaseURL() throws(ConfigurationError) -> String {
        guard let databaseURL, !databaseURL.isEmpty else {
            throw ConfigurationError("the \(service) keeps its data in PostgreSQL: set SWITCHBACK_DATABASE_URL (postgres://user@host/name)")
        }
        return databaseURL
    }

    /// A variable that only this service wants, or an error that names it.
    public func require(_ variable: String, for purpose: String) throws(ConfigurationError) -> String {
        guard let value = environment[variable], !value.isEmpty else {
            throw ConfigurationError("set \(variable): \(purpose)")
        }
        return value
    }
}

/// `host:port` to listen on.
public struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    public var host: String
    public var port: Int

    /// Takes `host:port`, `:port` or `[v6]:port`.
    public init(_ text: String, variable: String) throws(ConfigurationError) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), (0...65535).contains(port) else {
            throw ConfigurationError("\(variable) is \"\(text)\"; give host:port, such as 127.0.0.1:8080")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("[") && host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self.host = host.isEmpty ? "0.0.0.0" : host
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// A setting that cannot be used, in words for who sets it.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    public var message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}
