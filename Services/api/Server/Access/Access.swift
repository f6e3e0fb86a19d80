internal import Contract
internal import HTTPTypes
internal import NIOHTTP1

/// Who is asking: from the `Authorization` header, or from the cookie that `/?token=` sets.
struct Access: Sendable {
    static let cookie = "switchback"

    let tokens: AccessTokens
    /// Origins besides the server's own from which pages may use cookies and sockets.
    let origins: Set<String>

    /// The header that keeps a browser signed in; without a token, the one that signs it out.
    static func cookie(token: String?) -> String {
        "\(cookie)=\(token ?? ""); Path=/; HttpOnly; SameSite=Strict; Max-Age=\(token == nil ? 0 : 31_536_000)"
    }

    struct Credentials {
        var authorization: String?
        var cookies: [String]
        var origin: String?
        var host: String?
        /// Given in the query; only sockets and the page take it.
        var queryToken: String?
        /// The request changes something.
        var mutates: Bool
    }

    func person(_ credentials: Credentials) throws(ErrorBody) -> Person {
        if let header = credentials.authorization {
            let words = header.split(separator: " ", maxSplits: 1)
            guard words.count == 2, words[0].lowercased() == "bearer" else {
                throw ErrorBody(.unauthenticated, "the Authorization header must read `Bearer TOKEN`")
            }
            return try known(words[1])
        }
        if let token = credentials.queryToken { return try known(token) }
        for header in credentials.cookies {
            for pair in header.split(separator: ";") {
                let parts = pair.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, parts[0].drop(while: { $0 == " " }) == Self.cookie else { continue }
                let person = try known(parts[1])
                // A cookie travels with requests other sites make; those may not change anything or read a socket.
                if credentials.mutates, !allows(origin: credentials.origin, host: credentials.host) {
                    throw ErrorBody(.denied, "a page of \(credentials.origin ?? "an unknown origin") may not use this sign-in")
                }
                return person
            }
        }
        throw ErrorBody(.unauthenticated, "sign in first: send `Authorization: Bearer TOKEN`, or open /?token=TOKEN in a browser")
    }

    private func known(_ token: some StringProtocol) throws(ErrorBody) -> Person {
        guard let person = tokens.person(token: token) else {
            throw ErrorBody(.unauthenticated, "this token is not known here; ask the one who runs the server for a valid one")
        }
        return person
    }

    /// Whether pages of `origin` may act with a browser's sign-in: the server's own, and those configured. Programs send none.
    func allows(origin: String?, host: String?) -> Bool {
        guard let origin else { return true }
        if origins.contains(origin) { return true }
        let parts = origin.split(separator: "/", omittingEmptySubsequences: false)
        guard let host, parts.count == 3, parts[0].hasSuffix(":"), parts[1].isEmpty else { return false }
        return parts[2].lowercased() == host.lowercased()
    }
}
