internal import Contract
internal import Digest
internal import HTTPTypes
internal import NIOHTTP1

/// Who is asking: from the `Authorization` header, or from the cookie that `/?token=` and the sign-in page set.
struct Access: Sendable {
    static let cookie = "switchback"

    /// Asked one after the other.
    let verifiers: [any TokenVerifier]
    /// Origins besides the server's own from which pages may use cookies and sockets.
    let origins: Set<String>
    var failures = FailureGuard()

    /// The header that keeps a browser signed in; without a token, the one that signs it out. `Lax` would let other sites' links in with it.
    ///
    /// - Parameters:
    ///   - secure: the browser came by HTTPS, and shall bring the cookie by nothing else.
    ///   - expires: when the token ends; else the cookie lasts a year.
    static func cookie(token: String?, secure: Bool = false, expires: Timestamp? = nil, now: Timestamp = .now()) -> String {
        let left = expires.map { max(0, ($0 - now).microseconds / 1_000_000) } ?? 31_536_000
        return "\(cookie)=\(token ?? ""); Path=/; HttpOnly; SameSite=Strict; Max-Age=\(token == nil ? 0 : min(left, 31_536_000))"
            + (secure ? "; Secure" : "")
    }

    struct Credentials {
        var authorization: String?
        var cookies: [String]
        var origin: String?
        var host: String?
        /// The request changes something.
        var mutates: Bool
        /// Where it comes from.
        var address = "unknown"
    }

    /// - Parameter counting: whether a wrong token counts against its sender; not where the same request is looked at again.
    func person(_ credentials: Credentials, counting: Bool = true) throws(ErrorBody) -> Person {
        if let header = credentials.authorization {
            let words = header.split(separator: " ", maxSplits: 1)
            guard words.count == 2, words[0].lowercased() == "bearer" else {
                throw ErrorBody(.unauthenticated, "the Authorization header must read `Bearer TOKEN`")
            }
            return try known(String(words[1]), from: credentials.address, counting: counting)
        }
        for header in credentials.cookies {
            for pair in header.split(separator: ";") {
                let parts = pair.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, parts[0].drop(while: { $0 == " " }) == Self.cookie else { continue }
                let person = try known(String(parts[1]), from: credentials.address, counting: counting)
                // A cookie travels with requests other sites make; those may not change anything or read a socket.
                if credentials.mutates, !allows(origin: credentials.origin, host: credentials.host) {
                    throw ErrorBody(.denied, "a page of \(credentials.origin ?? "an unknown origin") may not use this sign-in")
                }
                return person
            }
        }
        throw ErrorBody(.unauthenticated, "sign in first: send `Authorization: Bearer TOKEN`, or open /?token=TOKEN in a browser")
    }

    /// Whom a token belongs to.
    /// - Throws: `unauthenticated` when it is not known, is over or was revoked; `too_many_requests` when its sender was wrong too often.
    func known(_ token: String, from address: String, counting: Bool = true) throws(ErrorBody) -> Person {
        let shown = Self.shown(token)
        if failures.pause(address: address, token: shown) != nil { throw Self.tooMany }
        let now = Timestamp.now()
        for verifier in verifiers {
            guard let person = try verifier.person(token: token, now: now) else { continue }
            failures.succeeded(address: address, token: shown)
            return person
        }
        if counting { failures.failed(address: address, token: shown) }
        throw ErrorBody(.unauthenticated, "this token is not known here; ask the one who runs the server for a valid one")
    }

    static let tooMany = ErrorBody(.tooManyRequests, "too many wrong tokens came from there; try again in a minute")

    /// What names a token where it may not stand itself: its id, the pod of a pod's credential, else the beginning of its digest.
    static func shown(_ token: String) -> String {
        PersonToken.id(of: token) ?? PodCredential.pod(of: token)?.text ?? String(SHA256.digest(Array(token.utf8)).hex.prefix(12))
    }

    /// Whether whoever was let in a while ago still is.
    func isStillGood(_ person: Person, now: Timestamp = .now()) -> Bool {
        if let expires = person.expires, expires <= now { return false }
        return verifiers.allSatisfy { $0.isStillGood(person, now: now) }
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
