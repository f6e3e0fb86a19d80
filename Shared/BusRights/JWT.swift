// Fields are called as NATS calls them in its JSON.
// swift-format-ignore-file: AlwaysUseLowerCamelCase
internal import FoundationEssentials

/// NATS' signed claims, version 2. Source: NATS ADR-14 and github.com/nats-io/jwt.
enum JWT {
    private struct Header: Encodable {
        var typ = "JWT"
        var alg = "ed25519-nkey"
    }

    private struct Envelope<Claims: Encodable>: Encodable {
        var jti: String
        /// Seconds since 1970.
        var iat: Int64
        var exp: Int64?
        var iss: String
        var name: String
        var sub: String
        var nats: Claims
    }

    /// Base64url of header, claims and signature, joined by dots.
    static func sign(_ claims: some Encodable, name: String, subject: String, by issuer: NKey, now: Int64, expires: Int64? = nil) -> String {
        let body = Envelope(jti: Base32.encode(NKey.randomBytes(16)), iat: now, exp: expires, iss: issuer.publicKey, name: name, sub: subject, nats: claims)
        let text = base64(encode(Header())) + "." + base64(encode(body))
        return text + "." + base64(issuer.sign(Array(text.utf8)))
    }

    private static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { preconditionFailure("claims are strings and numbers, which always encode") }
        return [UInt8](data)
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    // MARK: - Claims

    struct Subjects: Encodable {
        var allow: [String]?
        var deny: [String]?

        init(_ allow: [String], _ deny: [String]) {
            self.allow = allow.isEmpty ? nil : allow
            self.deny = deny.isEmpty ? nil : deny
        }
    }

    struct Answers: Encodable {
        var max: Int
        /// Nanoseconds.
        var ttl: Int64
    }

    /// What a user may do. `nil` limits are those of a user whose key has a scope: the scope says everything.
    struct Rights: Encodable {
        var pub: Subjects
        var sub: Subjects
        var resp: Answers?
        var subs = -1
        var data = -1
        var payload = -1

        init(_ permissions: Permissions) {
            pub = Subjects(permissions.publish, permissions.publishRefused)
            sub = Subjects(permissions.subscribe, permissions.subscribeRefused)
            resp = permissions.answers.map { Answers(max: $0.count, ttl: $0.within.components.seconds * 1_000_000_000) }
        }
    }

    struct User: Encodable {
        var pub: Subjects
        var sub: Subjects
        var resp: Answers?
        var subs: Int
        var data: Int
        var payload: Int
        var issuer_account: String?
        var type = "user"
        var version = 2

        init(_ permissions: Permissions, account: String) {
            let rights = Rights(permissions)
            (pub, sub, resp, subs, data, payload) = (rights.pub, rights.sub, rights.resp, rights.subs, rights.data, rights.payload)
            issuer_account = account
        }
    }

    /// A user whose rights the key's scope says.
    struct ScopedUser: Encodable {
        struct Nothing: Encodable {}
        var pub = Nothing()
        var sub = Nothing()
        var issuer_account: String
        var tags: [String]
        var type = "user"
        var version = 2
    }

    struct Account: Encodable {
        struct Limits: Encodable {
            var subs = -1
            var data = -1
            var payload = -1
            var imports = -1
            var exports = -1
            var wildcards = true
            var conn = -1
            var leaf = -1
            /// JetStream; missing: none.
            var mem_storage: Int?
            var disk_storage: Int?
            var streams: Int?
            var consumer: Int?
        }

        struct Scope: Encodable {
            var kind = "user_scope"
            var key: String
            var role: String
            var template: Rights
        }

        struct Nothing: Encodable {
            var pub = Subjects([], [])
            var sub = Subjects([], [])
        }

        var limits: Limits
        var signing_keys: [Scope]?
        /// By a user's public key, when its credentials were taken back, in seconds since 1970: those signed until then count no more.
        var revocations: [String: Int64]?
        var default_permissions = Nothing()
        var type = "account"
        var version = 2
    }

    struct Operator: Encodable {
        var system_account: String
        var type = "operator"
        var version = 2
    }
}
