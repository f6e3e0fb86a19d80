import Bus
import BusRights
import Contract
import Foundation
import TestSupport
import Testing

/// An authority and what it signs, made by the `openssl` program in a folder of its own.
private struct TestAuthority {
    let folder: String

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/switchback-tls-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try make()
    }

    /// Makes the authority; said again, another one of the same name in its place.
    func make() throws {
        try Self.openssl(
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "\(folder)/ca.key", "-out",
                "\(folder)/ca.crt", "-days", "10", "-subj", "/CN=Test", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            ])
    }

    /// A certificate for 127.0.0.1; with negative `days` it has expired.
    func sign(_ name: String, days: Int = 5) throws {
        try Self.openssl(
            [
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "\(folder)/\(name).key", "-out",
                "\(folder)/\(name).csr", "-subj", "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1",
            ])
        try Self.openssl(
            [
                "x509", "-req", "-in", "\(folder)/\(name).csr", "-CA", "\(folder)/ca.crt", "-CAkey", "\(folder)/ca.key", "-CAcreateserial", "-days",
                "\(days)", "-copy_extensions", "copy", "-out", "\(folder)/\(name).crt",
            ])
    }

    func client(_ name: String = "client") -> BusOptions.TLS {
        BusOptions.TLS(
            certificateAuthorities: folder + "/ca.crt", certificateChain: "\(folder)/\(name).crt", privateKey: "\(folder)/\(name).key")
    }

    /// Lines for nats-server: it shows a certificate and wants one.
    var server: String {
        "tls { cert_file: \"\(folder)/server.crt\", key_file: \"\(folder)/server.key\", ca_file: \"\(folder)/ca.crt\", verify: true, timeout: 10 }"
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    private static func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw TestSupportError("openssl: " + String(decoding: text, as: UTF8.self)) }
    }
}

@Suite("TLS on the bus", .serialized, .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"), "openssl is needed"))
struct TLSTests {
    private static func connect(_ server: NATSServer, _ tls: BusOptions.TLS?) async throws -> BusConnection {
        try await server.connect {
            $0.tls = tls
            $0.connectTimeout = .seconds(3)
        }
    }

    private static func refusal(_ server: NATSServer, _ tls: BusOptions.TLS?) async -> String {
        do {
            let bus = try await connect(server, tls)
            await bus.close()
            return "connected"
        } catch {
            return "\(error)"
        }
    }

    @Test("Both show their certificates; who has none, a stranger's, or trusts another authority is refused and told why in a line")
    func mutual() async throws {
        let authority = try TestAuthority(), stranger = try TestAuthority()
        defer {
            authority.remove()
            stranger.remove()
        }
        for name in ["server", "client"] {
            try authority.sign(name)
            try stranger.sign(name)
        }
        try authority.sign("expired", days: -1)
        let server = try await NATSServer.start(configuration: authority.server)
        let bus = try await Self.connect(server, authority.client())
        try bus.serve("double") { BusReply($0.payload + $0.payload) }
        try await bus.flush()
        #expect(try await bus.request("double", payload: [7]).payload == [7, 7])
        await bus.close()

        var onlyTrust = authority.client()
        (onlyTrust.certificateChain, onlyTrust.privateKey) = (nil, nil)
        #expect(await Self.refusal(server, onlyTrust).contains("the server refuses our certificate"))
        var otherTrust = authority.client()
        otherTrust.certificateAuthorities = stranger.client().certificateAuthorities
        let untrusted = await Self.refusal(server, otherTrust)
        #expect(untrusted.contains("the server's certificate is refused"), "\(untrusted)")
        #expect(!untrusted.contains("\n"))
        var strangers = stranger.client()
        strangers.certificateAuthorities = authority.client().certificateAuthorities
        #expect(await Self.refusal(server, strangers).contains("the server refuses our certificate"))
        #expect(await Self.refusal(server, authority.client("expired")).contains("the server refuses our certificate"))
        #expect(await Self.refusal(server, nil) != "connected")
        var nowhere = authority.client()
        nowhere.certificateAuthorities = "/nowhere/ca.crt"
        #expect(await Self.refusal(server, nowhere).contains("/nowhere/ca.crt"))
    }

    @Test("A server's certificate that has expired is named, and the connection comes back by itself when it is mended")
    func expired() async throws {
        let authority = try TestAuthority()
        defer { authority.remove() }
        for name in ["server", "client"] { try authority.sign(name) }
        let server = try await NATSServer.start(configuration: authority.server)
        let bus = try await Self.connect(server, authority.client())
        try authority.sign("server", days: -1)
        try await server.restart()
        try await eventually(within: .seconds(15), "the connection said: \(bus.problem ?? "nothing")") {
            bus.problem?.contains("certificate has expired") == true ? true : nil
        }
        #expect(!bus.isConnected)
        try authority.sign("server")
        try await server.restart()
        try await eventually(within: .seconds(15), "the connection said: \(bus.problem ?? "nothing")", holds: { bus.isConnected })
        #expect(bus.problem == nil)
        await bus.close()
    }

    @Test("A connection that lives takes new certificates, even of a new authority, from its files")
    func rotation() async throws {
        let authority = try TestAuthority()
        defer { authority.remove() }
        for name in ["server", "client"] { try authority.sign(name) }
        let server = try await NATSServer.start(configuration: authority.server)
        let bus = try await Self.connect(server, authority.client())
        // Everything is another's now: what was read at the first connect fits nothing any more.
        try authority.make()
        for name in ["server", "client"] { try authority.sign(name) }
        try await server.restart()
        try await eventually(within: .seconds(15), "the connection said: \(bus.problem ?? "nothing")", holds: { bus.isConnected })
        try bus.serve("double") { BusReply($0.payload + $0.payload) }
        try await bus.flush()
        #expect(try await bus.request("double", payload: [7]).payload == [7, 7])
        await bus.close()
    }

    @Test("Rights hold behind TLS as before it")
    func both() async throws {
        let authority = try TestAuthority()
        defer { authority.remove() }
        for name in ["server", "client"] { try authority.sign(name) }
        let trusted = try await TrustedBus.start(more: authority.server, tls: authority.client())
        let pod = PodID.random()
        let shim = try await trusted.connect(shim: pod)
        #expect(try await shim.publishIsRefused(Subjects.shimWrite(pod)))
        #expect(try await !shim.publishIsRefused(Subjects.pty(pod, .out)))
        await #expect(throws: BusError.self) { _ = try await Self.connect(trusted.server, authority.client()) }
    }
}
