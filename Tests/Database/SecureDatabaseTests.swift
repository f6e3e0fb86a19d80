import Database
import Foundation
import Logging
import PostgresPrograms
import TestSupport
import Testing

@Suite("PostgreSQL by TLS", .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"), "openssl is needed"))
struct SecureDatabaseTests {
    private static func openssl(_ folder: String, _ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments.map { $0.replacing("@", with: folder + "/") }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments)")
    }

    private static func sign(_ folder: String, _ name: String) throws {
        try openssl(
            folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "@server.key", "-out", "@server.csr", "-subj",
            "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)")
        try openssl(
            folder, "x509", "-req", "-in", "@server.csr", "-CA", "@ca.crt", "-CAkey", "@ca.key", "-CAcreateserial", "-days", "5",
            "-copy_extensions", "copy", "-out", "@server.crt")
    }

    private static func authority(_ folder: String, _ name: String) throws {
        try openssl(
            folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "@\(name).key", "-out", "@\(name).crt",
            "-days", "10", "-subj", "/CN=\(name)", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    }

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
        let folder = FileManager.default.temporaryDirectory.path + "/switchback-pgtls-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for name in ["ca", "other"] { try Self.authority(folder, name) }
        try Self.sign(folder, "localhost")
        let server = try await TestPostgres.start(certificate: folder + "/server.crt", key: folder + "/server.key")
        let address = "postgresql://switchback@localhost:\(try #require(server.port))/postgres?sslmode=verify-full&sslrootcert=\(folder)"
        #expect(await Self.reach(address + "/ca.crt").hasPrefix("TLS"))
        #expect(await Self.reach(address + "/other.crt").contains("certificate verify failed"))
        #expect(await Self.reach(address.replacing("@localhost", with: "@127.0.0.1") + "/ca.crt").contains("does not match host name"))
        #expect(await Self.reach(address + "/missing.crt").contains("missing.crt"))
    }
}
