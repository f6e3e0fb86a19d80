internal import FoundationEssentials
internal import Glibc

/// What `up` chooses once and remembers, so that shims which outlive a stack find it again.
public struct StackSettings: Codable, Sendable, Equatable {
    /// Names this stack among others on the machine; random.
    public var id: String
    public var apiHost: String
    public var apiPort: Int
    public var natsPort: Int
    /// Health ports by instance name, for example `relay` or `relay-2`.
    public var healthPorts: [String: Int]
    public var natsPassword: String
    /// A bus user that can listen and not publish, for `tap` and the stock `nats` tool.
    public var tapPassword: String
    public var databasePassword: String
    public var adminToken: String
    /// Holds PostgreSQL's `data` and, when the path is short enough, its socket.
    public var postgresRoot: String
    public var socketDirectory: String
    /// Whether the bus takes passwords, as stacks before credentials had them: pods of that time know nothing else. Missing: such a stack.
    public var passwords: Bool?
    /// How many instances of a service to run; absent is 1.
    public var scale: [String: Int]

    /// Services in the order they start. `runner` is started last.
    public static let services = ["relay", "recorder", "registry", "bindings", "detector", "api", "runner"]

    /// The address people open and the command talks to.
    public var address: String {
        let host = apiHost == "0.0.0.0" || apiHost == "::" ? "127.0.0.1" : apiHost
        return "http://\(host.contains(":") ? "[\(host)]" : host):\(apiPort)"
    }

    public var usesPasswords: Bool { passwords ?? true }
    public var natsURL: String { usesPasswords ? "nats://switchback:\(natsPassword)@127.0.0.1:\(natsPort)" : "nats://127.0.0.1:\(natsPort)" }
    public var tapURL: String { usesPasswords ? "nats://tap:\(tapPassword)@127.0.0.1:\(natsPort)" : natsURL }
    public var databaseURL: String {
        "postgresql:///switchback?host=\(percentEncoded(socketDirectory))&user=switchback&password=\(databasePassword)"
    }

    private func percentEncoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = Array("0123456789ABCDEF")
                result += "%" + String(digits[Int(byte >> 4)]) + String(digits[Int(byte & 15)])
            }
        }
        return result
    }

    /// Nil when no stack was set up there; an error when the file is damaged.
    public static func load(_ home: StackHome) throws(StackError) -> StackSettings? {
        guard let bytes = Files.readBytes(home.settingsFile) else {
            if Files.exists(home.settingsFile) {
                throw StackError(.notWritable, "Cannot read \(home.settingsFile).", fix: "It belongs to another user; use your own SWITCHBACK_HOME.")
            }
            return nil
        }
        do {
            return try JSONDecoder().decode(StackSettings.self, from: Data(bytes))
        } catch {
            throw StackError(
                .badSettings, "\(home.settingsFile) is damaged: \(error).",
                fix: "Restore it from a backup, or move \(home.path) away to start an empty stack.")
        }
    }

    public func save(_ home: StackHome) throws(StackError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let bytes: [UInt8]
        do {
            bytes = try [UInt8](encoder.encode(self))
        } catch {
            throw StackError(.system, "Cannot encode the settings: \(error)")
        }
        try Files.write(bytes, to: home.settingsFile)
        try writeTokens(home)
    }

    /// Adds the admin token to the tokens file and keeps the lines a person added.
    private func writeTokens(_ home: StackHome) throws(StackError) {
        let line = "\(adminToken) admin local"
        var lines = (Files.read(home.tokensFile) ?? "").split(separator: "\n").map(String.init)
        if lines.contains(line) { return }
        if lines.isEmpty { lines.append("# token role name; roles are viewer, operator and admin") }
        lines.append(line)
        try Files.write(lines.joined(separator: "\n") + "\n", to: home.tokensFile)
    }

    /// 128 to 256 random bits as lower-case hexadecimal.
    static func secret(bytes: Int = 24) -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef")
        var text = ""
        for _ in 0..<bytes {
            let byte = UInt8.random(in: 0...255, using: &generator)
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }

    /// All instances in starting order, as (service, instance name).
    public var instances: [(service: String, name: String)] {
        Self.services.flatMap { service in
            (1...max(1, scale[service] ?? 1)).map { (service, $0 == 1 ? service : "\(service)-\($0)") }
        }
    }
}
