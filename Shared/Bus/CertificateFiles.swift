internal import CBusTLS
internal import CNats

/// A connection's certificates, read anew at every handshake, and what the newest one came to.
// The C object locks itself; it lives as long as this object or a connection of OpenSSL needs it.
final class CertificateFiles: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(_ tls: BusOptions.TLS) throws(BusError) {
        guard let pointer = cbustls_new(tls.certificateAuthorities, tls.certificateChain, tls.privateKey) else {
            throw BusError(.library, "TLS: no memory")
        }
        self.pointer = pointer
    }

    deinit { cbustls_release(pointer) }

    /// Makes these the files of what libnats makes inside `body`.
    func owning<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        cbustls_begin(pointer)
        defer { cbustls_end() }
        try body()
    }

    /// Why the newest handshake failed; nil when it did not.
    var problem: String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
            cbustls_problem(pointer, text.baseAddress, text.count) == 0 ? nil : text.baseAddress.map { "TLS: " + String(cString: $0) }
        }
    }
}
