/// The secret by which a pod shows who it is, `sbp_<pod>_<48 hexadecimal digits>`: made at its start, in its environment as
/// `SWITCHBACK_TOKEN`, dead at its end.
public enum PodCredential {
    private static let prefix = "sbp_"

    public static func make(_ pod: PodID, secret: String) -> String { prefix + pod.text + "_" + secret }

    /// The pod that a credential names; nil when a text has not the form of one. Says nothing of whether it is valid.
    public static func pod(of text: some StringProtocol) -> PodID? {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "sbp", parts[2].utf8.count == 48 else { return nil }
        return PodID(parts[1])
    }
}

/// `registry.credentials.check` → ``Pod``.
public struct CheckCredential: Sendable, Codable {
    public var credential: String
    public init(credential: String) { self.credential = credential }
}
