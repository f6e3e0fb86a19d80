internal import Contract

/// Says whom a bearer token belongs to. The border behind which tokens of another kind would be understood, those of OpenID Connect say: such
/// a verifier keeps the issuer's keys in memory, checks signature, issuer, audience and times, and maps a claim to a role.
///
/// Asked on event loops, so what it knows is in memory; what has to be fetched is fetched beforehand.
protocol TokenVerifier: Sendable {
    /// The person; nil when this is no token of its kind, or none that is good.
    /// - Throws: `unavailable` when it cannot say yet.
    func person(token: String, now: Timestamp) throws(ErrorBody) -> Person?
    /// Whether whoever was let in still is. Asked four times a second by what stays open.
    func isStillGood(_ person: Person, now: Timestamp) -> Bool
}

extension AccessTokens: TokenVerifier {
    func person(token: String, now: Timestamp) -> Person? { person(token: token) }
    /// The file is read when the server starts.
    func isStillGood(_ person: Person, now: Timestamp) -> Bool { true }
}
