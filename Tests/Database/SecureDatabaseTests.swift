import Database
import Logging
import PostgresPrograms
import TestSupport
import Testing

@Suite("PostgreSQL by TLS", .enabled(if: TestCertificates.areAvailable, "openssl is needed"))
struct SecureDatabaseTests {
    private static func reach(_ address: String) async -> String {
        let pool = DatabasePool(
            DatabaseConfiguration(address: address, connections: 1), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        defer { pool.close() }
        do {
            try await pool.waitUntilReachable(timeout: .seconds(3))
            return try await pool.withConnection { connection in
                try connection.query("SELECT version AS v FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0].decode("v", as: String?.self) ?? "plain text"
            }
        } catch {
            return "\(error)"
        }
    }

    @Test("sslmode=verify-full takes the server's own certificate, and refuses another authority's and another host's in words")
    func verifyFull() async throws {
        let certificates = try TestCertificates(), other = try TestCertificates()
        try certificates.sign("server", alternative: "DNS:localhost")
        let server = try await TestPostgres.start(certificate: certificates.certificate("server"), key: certificates.key("server"))
        let address = "postgresql://switchback@localhost:\(try #require(server.port))/postgres?sslmode=verify-full&sslrootcert="
        #expect(await Self.reach(address + certificates.authority).hasPrefix("TLS"))
        #expect(await Self.reach(address + other.authority).contains("certificate verify failed"))
        #expect(await Self.reach(address.replacing("@localhost", with: "@127.0.0.1") + certificates.authority).contains("does not match host name"))
        #expect(await Self.reach(address + "/nowhere/missing.crt").contains("missing.crt"))
    }
}
