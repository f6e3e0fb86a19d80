import Bus
import BusRights
import Contract
import TestSupport
import Testing

@Suite("TLS on the bus", .serialized, .enabled(if: TestCertificates.areAvailable, "openssl is needed"))
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

    private static func refusesCertificate(_ server: NATSServer, _ tls: BusOptions.TLS) async -> Bool {
        let said = await refusal(server, tls)
        return said.contains("the server refuses our certificate") || said.contains("refused the certificate or")
    }

    @Test("Both show their certificates; who has none, a stranger's, or trusts another authority is refused and told why in a line")
    func mutual() async throws {
        let authority = try TestCertificates(), stranger = try TestCertificates()
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
        #expect(await Self.refusesCertificate(server, onlyTrust))
        var otherTrust = authority.client()
        otherTrust.certificateAuthorities = stranger.client().certificateAuthorities
        let untrusted = await Self.refusal(server, otherTrust)
        #expect(untrusted.contains("the server's certificate is refused"), "\(untrusted)")
        #expect(!untrusted.contains("\n"))
        var strangers = stranger.client()
        strangers.certificateAuthorities = authority.client().certificateAuthorities
        #expect(await Self.refusesCertificate(server, strangers))
        #expect(await Self.refusesCertificate(server, authority.client("expired")))
        #expect(await Self.refusal(server, nil) != "connected")
        var nowhere = authority.client()
        nowhere.certificateAuthorities = "/nowhere/ca.crt"
        #expect(await Self.refusal(server, nowhere).contains("/nowhere/ca.crt"))
    }

    @Test("A server's certificate that has expired is named, and the connection comes back by itself when it is mended")
    func expired() async throws {
        let authority = try TestCertificates()
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
        let authority = try TestCertificates()
        for name in ["server", "client"] { try authority.sign(name) }
        let server = try await NATSServer.start(configuration: authority.server)
        let bus = try await Self.connect(server, authority.client())
        // Everything is another's now: what was read at the first connect fits nothing any more.
        try authority.makeAuthority()
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
        let authority = try TestCertificates()
        for name in ["server", "client"] { try authority.sign(name) }
        let trusted = try await TrustedBus.start(more: authority.server, tls: authority.client())
        let pod = PodID.random()
        let shim = try await trusted.connect(shim: pod)
        #expect(try await shim.publishIsRefused(Subjects.shimWrite(pod)))
        #expect(try await !shim.publishIsRefused(Subjects.pty(pod, .out)))
        await #expect(throws: BusError.self) { _ = try await Self.connect(trusted.server, authority.client()) }
    }
}
