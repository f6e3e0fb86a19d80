internal import ArgumentParser
internal import Bus
internal import Console
internal import Contract
internal import FoundationEssentials
internal import LocalStack
internal import Synchronization

struct Tap: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show messages on the bus, readable: every keystroke, screen byte, event and heartbeat.",
        discussion: """
            SUBJECT may have wildcards: 'pty.*.<pod>.out' is a pod's live output (with --raw it is the terminal itself), 'event.>' what \
            happens, '>' everything. SWITCHBACK_NATS_URL and SWITCHBACK_NATS_CREDS name another bus (with \
            TLS: SWITCHBACK_NATS_CA, _CERT and _KEY).
            """)

    @OptionGroup var output: JSONOption

    @Argument(help: "A NATS subject.")
    var subject: String

    @Flag(help: "Only the payloads, as they are.")
    var raw = false

    @Option(help: "End after this many messages.")
    var count: Int?

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let url: String
        var tls: BusOptions.TLS?
        var credentials: String?
        if let named = environment["SWITCHBACK_NATS_URL"], !named.isEmpty {
            url = named
            credentials = environment["SWITCHBACK_NATS_CREDS"]
            if let authorities = environment["SWITCHBACK_NATS_CA"] {
                tls = BusOptions.TLS(
                    certificateAuthorities: authorities, certificateChain: environment["SWITCHBACK_NATS_CERT"],
                    privateKey: environment["SWITCHBACK_NATS_KEY"])
            }
        } else if let settings = try Stack(environment: environment).settings() {
            url = settings.tapURL
            if !settings.usesPasswords { credentials = try Stack(environment: environment).home.busDirectory + "/tap.creds" }
        } else {
            throw Failure(.error, "not_running", "There is no local stack.", fix: "Start one with `switchback up`, or set SWITCHBACK_NATS_URL.")
        }
        let bus: BusConnection
        do throws(BusError) {
            var options = BusOptions(
                servers: url.split(separator: ",").map(String.init), name: "switchback tap", credentialsFile: credentials, tls: tls,
                connectTimeout: .seconds(3))
            options.inbox = Subjects.inbox(service: "tap")
            bus = try await BusConnection.connect(options)
        } catch {
            throw Failure(.error, "unavailable", error.message, fix: "`switchback status` shows what runs.")
        }
        let (asJSON, raw) = (output.json, raw)
        let left = Mutex(count ?? .max)
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        do throws(BusError) {
            try bus.subscribe(subject) { message in
                let goesOn = left.withLock { left in
                    guard left > 0 else { return false }
                    left -= 1
                    return true
                }
                guard goesOn else { return end.finish() }
                Self.show(message, asJSON: asJSON, raw: raw)
                if left.withLock({ $0 == 0 }) { end.finish() }
            }
        } catch {
            throw Failure(.usage, "usage", error.message)
        }
        for await _ in ends {}
    }

    private static func show(_ message: BusMessage, asJSON: Bool, raw: Bool) {
        let payload = message.payload
        if raw { return Out.write(payload, to: 1) }
        let header = Dictionary(message.headers.map { ($0.name, $0.value) }) { first, _ in first }
        let text = Readable.text(payload)
        if asJSON {
            struct Shown: Encodable {
                var subject: String
                var time: Timestamp?
                var reply: String?
                var headers: [String: String]?
                var bytes: Int
                var text: String?
                var payloadB64: String?
            }
            let isText = String(validating: payload, as: UTF8.self)
            return Out.printJSON(
                Shown(
                    subject: message.subject, time: header[Headers.time].flatMap { Int64($0) }.map { Timestamp(microseconds: $0) },
                    reply: message.reply,
                    headers: header.isEmpty ? nil : header, bytes: payload.count, text: isText,
                    payloadB64: isText == nil ? Data(payload).base64EncodedString() : nil))
        }
        let style = Style.forOutput
        let time = header[Headers.time].flatMap { Int64($0) }.map { Timestamp(microseconds: $0) } ?? .now()
        var line = style.dim(Say.clock(time)) + " " + style.cyan(message.subject)
        if let id = Frame.id({ header[$0] }), let dot = id.lastIndex(of: "."), Subjects.parsePTY(message.subject) != nil {
            line += style.dim(" #" + id[id.index(after: dot)...])
        }
        if let author = header[Headers.author] { line += " " + style.yellow(author) }
        Out.print(line + " " + text)
    }
}

/// Bytes as a line of text.
enum Readable {
    /// Control characters as `␛`, `⏎`, `\x07`; what is not text as its size.
    static func text(_ bytes: [UInt8], limit: Int = 400) -> String {
        guard let text = String(validating: bytes.prefix(limit), as: UTF8.self) ?? cutCharacter(bytes.prefix(limit)) else {
            return "(\(bytes.count) bytes)"
        }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x1b: result += "␛"
            case 0x0a: result += "⏎"
            case 0x0d: result += "␍"
            case 0x09: result += "⇥"
            case 0x00..<0x20, 0x7f..<0xa0: result += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return bytes.count > limit ? result + "… (\(bytes.count) bytes)" : result
    }

    /// Text whose first or last character was cut off by a frame's border.
    private static func cutCharacter(_ bytes: ArraySlice<UInt8>) -> String? {
        let isContinuation = { (byte: UInt8) in byte & 0xc0 == 0x80 }
        let front = bytes.prefix(3).prefix(while: isContinuation).count
        for back in 0...3 where front + back < bytes.count {
            if let text = String(validating: bytes.dropFirst(front).dropLast(back), as: UTF8.self) {
                return (front > 0 ? "�" : "") + text + (back > 0 ? "�" : "")
            }
        }
        return nil
    }
}
