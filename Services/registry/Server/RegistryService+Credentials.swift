internal import Contract
internal import Database
internal import Digest

/// Pods' own credentials: made at each start, kept as a digest, good while the pod lives.
extension RegistryService {
    /// A new credential for a pod; the registry keeps its digest only.
    func makeCredential(for pod: PodID) async throws -> String {
        let credential = PodCredential.make(pod, secret: RandomBytes.hex(24))
        try await store.keepCredential(of: pod, digest: SHA256.digest(Array(credential.utf8)).bytes)
        return credential
    }

    /// The pod whose credential this is.
    /// - Throws: `unauthenticated` for a credential that was never made, was replaced, or whose pod has ended.
    func check(_ credential: String) async throws -> Pod {
        let refusal = ErrorBody(.unauthenticated, "this pod credential is not valid: it was replaced, or its pod has ended")
        guard let id = PodCredential.pod(of: credential), let digest = try await store.credentialDigest(of: id),
            digest == SHA256.digest(Array(credential.utf8)).bytes
        else { throw refusal }
        let pod = try await get(id.text)
        guard pod.lifecycle.isLive else { throw refusal }
        return pod
    }
}

extension RegistryStore {
    func keepCredential(of pod: PodID, digest: [UInt8]) async throws {
        try await pool.withConnection { connection in
            _ = try connection.query(
                "INSERT INTO registry.credentials (pod, digest) VALUES ($1, $2) ON CONFLICT (pod) DO UPDATE SET digest = $2, made = now()", pod.text,
                digest)
        }
    }

    func credentialDigest(of pod: PodID) async throws -> [UInt8]? {
        try await pool.withReader { connection in
            try connection.query("SELECT digest FROM registry.credentials WHERE pod = $1", pod.text).first?.decode("digest", as: [UInt8].self)
        }
    }
}
