public import Contract
internal import FoundationEssentials

/// Makes the credentials of one deployment's bus: an operator who trusts one account, whose users are services, runners, people and pods.
/// The server is told public keys only; who has a seed signs for himself, so that pods come and go without a word to the server.
public struct BusAuthority: Sendable {
    private struct Seeds: Codable {
        var `operator`: String
        var account: String
        var system: String
        var shims: String
    }

    private let `operator`: NKey
    private let account: NKey
    private let system: NKey
    private let shims: NKey

    /// A new one, which trusts nobody that another did.
    public init() {
        self.operator = .random(.operator)
        account = .random(.account)
        system = .random(.account)
        shims = .random(.account)
    }

    /// Reads what ``seeds`` wrote; nil when it is damaged.
    public init?(seeds text: String) {
        guard let seeds = try? JSONDecoder().decode(Seeds.self, from: Data(text.utf8)), let `operator` = NKey(seed: seeds.operator),
            let account = NKey(seed: seeds.account), let system = NKey(seed: seeds.system), let shims = NKey(seed: seeds.shims),
            `operator`.kind == .operator, [account, system, shims].allSatisfy({ $0.kind == .account })
        else { return nil }
        self.operator = `operator`
        self.account = account
        self.system = system
        self.shims = shims
    }

    /// Everything, as JSON, to be kept where nobody else reads: whoever has it may do anything on this bus.
    public var seeds: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let seeds = Seeds(operator: self.operator.seed, account: account.seed, system: system.seed, shims: shims.seed)
        guard let data = try? encoder.encode(seeds) else { preconditionFailure("four strings always encode") }
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    /// The account's name, which is also the name of the folder where a server keeps its streams.
    public var accountName: String { account.publicKey }

    /// Lines for nats-server's configuration: whom it trusts, and whom no more. They hold no secret.
    /// - Parameter old: the lines that these replace: a server that runs takes no other operator's token, not even another one of the same operator.
    public func serverConfiguration(revoked: [BusRevocation] = [], replacing old: String? = nil, now: Timestamp = .now()) -> String {
        let time = now.microseconds / 1_000_000
        let operatorToken =
            old.flatMap(Self.operatorToken)
            ?? JWT.sign(
                JWT.Operator(system_account: system.publicKey), name: "switchback", subject: self.operator.publicKey, by: self.operator, now: time)
        let scope = JWT.Account.Scope(key: shims.publicKey, role: "shim", template: JWT.Rights(.shims))
        let revocations = Dictionary(revoked.map { ($0.user, $0.time) }, uniquingKeysWith: max)
        let accountToken = JWT.sign(
            JWT.Account(limits: .init(mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1), signing_keys: [scope], revocations: revocations.isEmpty ? nil : revocations),
            name: "switchback", subject: account.publicKey, by: self.operator, now: time)
        let systemToken = JWT.sign(
            JWT.Account(limits: .init(), signing_keys: nil), name: "SYS", subject: system.publicKey, by: self.operator, now: time)
        return """
            # Made by `switchback`: whom this server trusts. What each may do stands in its own credentials, and for pods in the account's claims.
            operator: "\(operatorToken)"
            system_account: "\(system.publicKey)"
            # A machine that is busy with everybody's reconnect after an outage needs longer than the 2 s of the default.
            authorization { timeout: 15 }
            resolver: MEMORY
            resolver_preload: {
              \(account.publicKey): "\(accountToken)"
              \(system.publicKey): "\(systemToken)"
            }

            """
    }

    private static func operatorToken(in configuration: String) -> String? {
        let words = configuration.split(whereSeparator: \.isWhitespace)
        guard let name = words.firstIndex(of: "operator:"), words.indices.contains(name + 1) else { return nil }
        return String(words[name + 1].filter { $0 != "\"" })
    }

    /// A new credential, as the text of a `.creds` file.
    public func credentials(_ identity: BusIdentity, now: Timestamp = .now()) -> String {
        let user = NKey.random(.user)
        let token = JWT.sign(
            JWT.User(identity.permissions, account: account.publicKey), name: identity.description, subject: user.publicKey, by: account,
            now: now.microseconds / 1_000_000)
        return Credentials.file(token: token, user: user)
    }

    /// A credential for the server's own system account: `nats server report`.
    public func systemCredentials(now: Timestamp = .now()) -> String {
        let user = NKey.random(.user)
        let token = JWT.sign(
            JWT.User(BusIdentity.admin.permissions, account: system.publicKey), name: "system", subject: user.publicKey, by: system,
            now: now.microseconds / 1_000_000)
        return Credentials.file(token: token, user: user)
    }

    /// What the registry needs to sign for pods, and can be used for nothing else.
    public var shimSigner: ShimSigner { ShimSigner(key: shims, account: account.publicKey) }
}

/// Signs for pods.
public struct ShimSigner: Sendable {
    private let key: NKey
    private let account: String

    fileprivate init(key: NKey, account: String) {
        self.key = key
        self.account = account
    }

    /// Reads what ``text`` wrote; nil when it is damaged.
    public init?(_ text: some StringProtocol) {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let key = NKey(seed: String(words[0])), key.kind == .account, words[1].hasPrefix("A") else { return nil }
        self.key = key
        account = String(words[1])
    }

    /// The key's seed and the account: for a file that only the registry reads.
    public var text: String { key.seed + " " + account + "\n" }

    /// A new credential of a pod's shim, good for that pod on that runner alone.
    public func credentials(pod: PodID, runner: String, now: Timestamp = .now()) -> String {
        let user = NKey.random(.user)
        let claims = JWT.ScopedUser(issuer_account: account, tags: ["shard:\(pod.shard)", "runner:\(runner)"])
        let token = JWT.sign(claims, name: pod.text, subject: user.publicKey, by: key, now: now.microseconds / 1_000_000)
        return Credentials.file(token: token, user: user)
    }
}

/// A credential that was taken back: nats-server lets its user in no more, and closes what is open.
public struct BusRevocation: Sendable, Equatable {
    /// The user's public key, `U…`.
    public var user: String
    /// Seconds since 1970: what was signed for that key until then does not count.
    public var time: Int64

    /// - Parameter text: a user's public key, or the text of a `.creds` file.
    public init?(_ text: String, now: Timestamp = .now()) {
        let words = text.split(whereSeparator: \.isWhitespace)
        let key = words.first.map(String.init) ?? ""
        guard let user = words.count == 1 && NKey.isPublic(key, .user) ? key : Credentials.user(inFile: text) else { return nil }
        self.user = user
        time = now.microseconds / 1_000_000
    }

    /// Reads a line that ``line`` wrote.
    public init?(line: some StringProtocol) {
        let words = line.split(separator: " ")
        guard words.count == 2, NKey.isPublic(String(words[0]), .user), let time = Int64(words[1]) else { return nil }
        user = String(words[0])
        self.time = time
    }

    public var line: String { "\(user) \(time)" }
}

/// The form of a `.creds` file. Source: github.com/nats-io/jwt, `FormatUserConfig`.
enum Credentials {
    /// Whose a file is: the public half of its seed.
    static func user(inFile text: String) -> String? {
        let lines = text.split(whereSeparator: \.isNewline)
        guard let mark = lines.firstIndex(where: { $0.contains("BEGIN USER NKEY SEED") }), lines.indices.contains(mark + 1),
            let key = NKey(seed: String(lines[mark + 1])), key.kind == .user
        else { return nil }
        return key.publicKey
    }

    static func file(token: String, user: NKey) -> String {
        """
        -----BEGIN NATS USER JWT-----
        \(token)
        ------END NATS USER JWT------

        -----BEGIN USER NKEY SEED-----
        \(user.seed)
        ------END USER NKEY SEED------

        """
    }
}
