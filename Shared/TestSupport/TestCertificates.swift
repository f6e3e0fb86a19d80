public import Bus
internal import Foundation

/// An authority and what it signs, made by the `openssl` program in a folder of its own, which goes with this object.
public final class TestCertificates: Sendable {
    public let folder: String

    /// Whether there is a program to make them.
    public static var areAvailable: Bool { FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl") }

    public init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/switchback-tls-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try makeAuthority()
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    public var authority: String { folder + "/ca.crt" }
    public func certificate(_ name: String) -> String { "\(folder)/\(name).crt" }
    public func key(_ name: String) -> String { "\(folder)/\(name).key" }

    /// Makes the authority; said again, another one of the same name in its place.
    public func makeAuthority() throws {
        try Self.openssl(
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key("ca"), "-out", certificate("ca"),
                "-days", "10", "-subj", "/CN=Test", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            ])
    }

    /// A certificate, in the place of one of that name; with negative `days` it has expired.
    /// - Parameter alternative: for which host it is good.
    public func sign(_ name: String, days: Int = 5, alternative: String = "IP:127.0.0.1") throws {
        let request = "\(folder)/\(name).csr"
        try Self.openssl(
            [
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key(name), "-out", request, "-subj", "/CN=\(name)",
                "-addext", "subjectAltName=\(alternative)",
            ])
        try Self.openssl(
            [
                "x509", "-req", "-in", request, "-CA", certificate("ca"), "-CAkey", key("ca"), "-CAcreateserial", "-days", "\(days)",
                "-copy_extensions", "copy", "-out", certificate(name),
            ])
    }

    public func client(_ name: String = "client") -> BusOptions.TLS {
        BusOptions.TLS(certificateAuthorities: authority, certificateChain: certificate(name), privateKey: key(name))
    }

    /// Lines for a nats-server that shows the certificate `server` and wants one.
    public var server: String {
        "tls { cert_file: \"\(certificate("server"))\", key_file: \"\(key("server"))\", ca_file: \"\(authority)\", verify: true, timeout: 10 }"
    }

    private static func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        // Foundation's own waiting spins a run loop, which never ends on a thread that is not the main one.
        while process.isRunning { usleep(2000) }
        guard process.terminationStatus == 0 else { throw TestSupportError("openssl: " + String(decoding: text, as: UTF8.self)) }
    }
}
