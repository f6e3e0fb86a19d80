internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOSSL
internal import Synchronization

/// HTTPS from the client's side.
extension APIClient {
    /// One for each file of authorities in the process, never closed.
    private static let clients = Mutex<[String: HTTPClient]>([:])

    /// Its own deadline ends a request; silence does not: the import of a large recording is answered when its last frame is stored.
    static func http(_ authority: String?, isTLS: Bool) -> HTTPClient {
        let key = "\(isTLS) \(authority ?? "")"
        return clients.withLock { clients in
            if let client = clients[key] { return client }
            var configuration = HTTPClient.Configuration(timeout: .init(connect: .seconds(10), read: nil))
            configuration.tlsConfiguration = tls(authority)
            // A certificate that is not good is so at every attempt: say it at once. `execute` waits for servers that restart.
            configuration.connectionPool.retryConnectionEstablishment = !isTLS
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            clients[key] = client
            return client
        }
    }

    static func tls(_ authority: String?) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let authority { configuration.trustRoots = .file(authority) }
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return configuration
    }

    /// What is wrong with a file of authorities; nil when it can be used.
    public static func problem(withAuthority file: String) -> String? {
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(file) else { return "it is not there, may not be read, or holds no certificate in PEM form" }
        return certificates.isEmpty ? "it holds no certificate in PEM form" : nil
    }

    /// Why a server cannot be reached, in words for who asked.
    static func reason(_ error: any Error) -> String {
        let text = "\(error)"
        for sign in ["CERTIFICATE_VERIFY_FAILED", "noCertificateToValidate", "unableToValidateCertificate", "failedToVerify"] where text.contains(sign) {
            return "its certificate is not good: it has expired, is for another name, or is signed by nobody whom this machine trusts; "
                + "SWITCHBACK_CA names a PEM file of authorities that it shall trust"
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") { return "it does not speak HTTPS; try http://" }
        if text.contains("errno: \(ECONNREFUSED)") { return "nobody listens there" }
        if text.contains("UnknownHost") { return "there is no host of that name" }
        if text.contains("connectTimeout") || text.contains("errno: \(ETIMEDOUT)") { return "it does not answer" }
        return text
    }
}

extension NIOSSLClientHandler {
    /// The host as TLS names it: an address is not a name.
    static func name(_ host: String) -> String? {
        (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
    }
}
