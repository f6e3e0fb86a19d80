import Bus
import BusRights
import Contract
import Foundation
import TestSupport
import Testing

@testable import LocalStack

private let nats = try? Programs(environment: ProcessInfo.processInfo.environment).natsServer()

/// A nats-server with the configuration that a stack wrote.
private struct RunningServer: ~Copyable {
    let pid: pid_t

    init(_ home: StackHome) throws {
        pid = try Spawn.start(try #require(nats), ["-c", home.natsConfiguration], environment: [:], log: home.natsDirectory + "/log", group: .group)
    }

    deinit {
        kill(pid, SIGTERM)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    }
}

@Suite("A stack's bus", .enabled(if: nats != nil, "nats-server is needed"))
struct BusKeysTests {
    private static func connect(_ settings: StackSettings, credentials: String? = nil) async throws -> BusConnection {
        var options = BusOptions(servers: [settings.natsURL], name: "test", credentialsFile: credentials)
        options.inbox = credentials == nil ? "_INBOX" : Subjects.inbox(service: "admin")
        return try await BusConnection.connect(options)
    }

    @Test("What a stack with passwords stored is there after it got credentials, and passwords are refused from then on")
    func upgrade() async throws {
        let directory = TemporaryDirectory()
        let home = StackHome(path: directory.path + "/home")
        try home.prepare()
        var settings = StackSettings.sample
        settings.natsPort = try Ports.free()
        #expect(settings.usesPasswords, "settings of before have no word of it")
        try NatsServer.prepare(program: try #require(nats), settings: settings, home: home)
        let oldURL = settings.natsURL
        do {
            let server = try RunningServer(home)
            let bus = try await Self.connect(settings)
            try await JetStream(bus).ensureStreams()
            let answer = try await bus.request("event.pod.x.created", payload: Array("kept".utf8))
            #expect(String(decoding: answer.payload, as: UTF8.self).contains("\"seq\":1"))
            await bus.close()
            withExtendedLifetime(server.pid) {}
        }
        settings.passwords = false
        for _ in 0..<2 {
            // The second time changes nothing.
            try NatsServer.prepare(program: try #require(nats), settings: settings, home: home)
            let server = try RunningServer(home)
            let bus = try await Self.connect(settings, credentials: home.busDirectory + "/admin.creds")
            try await JetStream(bus).ensureStreams()
            #expect(try await JetStream(bus).lastMessage(Streams.events, subject: "event.pod.x.created")?.payload == Array("kept".utf8))
            await #expect { _ = try await BusConnection.connect(BusOptions(servers: [oldURL], name: "old")) } throws: { ($0 as? BusError)?.code == .authentication }
            await bus.close()
            withExtendedLifetime(server.pid) {}
        }
    }

    @Test("Credentials that `keys --revoke` took back are refused, and new ones stand in their place")
    func revoke() async throws {
        let directory = TemporaryDirectory()
        let folder = directory.path + "/keys"
        func make() throws -> [String] { try Keys.make(in: folder, runners: ["a"], database: "postgres:5432") }
        _ = try make()
        let file = folder + "/relay/bus.creds", old = folder + "/old.creds"
        try Files.write(try #require(Files.read(file)), to: old)
        let key = try Keys.revoke(file, in: folder)
        #expect(key.hasPrefix("U"))
        #expect(try make() == [file])
        // A second one does not make the first forgotten, and a new version's rights neither.
        _ = try Keys.revoke(folder + "/runners/a.creds", in: folder)
        Files.remove(folder + "/root/version")
        _ = try make()
        let server = try await NATSServer.start(configuration: try #require(Files.read(folder + "/nats/access.conf")))
        func connect(_ credentials: String) async throws {
            let bus = try await server.connect {
                $0.credentialsFile = credentials
                $0.inbox = Subjects.inbox(service: "relay")
            }
            await bus.close()
        }
        try await connect(file)
        await #expect { try await connect(old) } throws: { ($0 as? BusError)?.code == .authentication }
        #expect(throws: StackError.self) { try Keys.revoke("nobody", in: folder) }
        #expect(throws: StackError.self) { try Keys.revoke(key, in: folder + "/elsewhere") }
    }

    @Test("The keys of a bus are for their owner only, stay the same, and damaged ones are not replaced")
    func files() throws {
        let directory = TemporaryDirectory()
        let folder = directory.path + "/bus"
        try BusKeys.open(folder).write(runner: "local", in: folder)
        let root = Files.read(folder + "/root.json")
        #expect(try BusKeys.open(folder).signer == Files.read(folder + "/" + BusKeys.signerFile))
        for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
            var info = stat()
            #expect(stat(folder + "/" + file, &info) == 0)
            #expect(info.st_mode & 0o077 == 0, "\(file)")
        }
        #expect(Files.read(folder + "/root.json") == root)
        try Files.write("{}", to: folder + "/root.json")
        let error = #expect(throws: StackError.self) { try BusKeys.open(folder) }
        #expect(error?.message.contains("root.json") == true)
        #expect(Files.read(folder + "/root.json") == "{}")
    }
}

@Suite("Certificates of a deployment", .enabled(if: Files.isProgram("/usr/bin/openssl"), "openssl is needed"))
struct CertificateTests {
    @Test("They are good for servers and clients by name or address, are made once, and anew near their end")
    func certificates() async throws {
        let directory = TemporaryDirectory()
        let tls = directory.path + "/tls"
        let first = try Keys.make(in: directory.path, runners: [], hosts: ["localhost", "10.0.0.5"], database: "db:5432")
        #expect(first.contains(tls + "/ca.crt") && first.contains(tls + "/10.0.0.5.key"))
        var info = stat()
        #expect(stat(directory.path + "/root/ca.key", &info) == 0 && info.st_mode & 0o077 == 0)
        #expect(try Keys.make(in: directory.path, runners: [], hosts: ["localhost", "10.0.0.5"], database: "db:5432") == [])
        let (old, other) = (Files.read(tls + "/localhost.crt"), Files.read(tls + "/10.0.0.5.crt"))
        _ = try Spawn.run(
            "/usr/bin/openssl",
            [
                "x509", "-in", tls + "/localhost.crt", "-CA", tls + "/ca.crt", "-CAkey", directory.path + "/root/ca.key", "-CAcreateserial", "-days", "20",
                "-out", tls + "/short.crt",
            ], environment: [:])
        unlink(tls + "/localhost.crt")
        #expect(rename(tls + "/short.crt", tls + "/localhost.crt") == 0)
        #expect(try Keys.make(in: directory.path, runners: [], hosts: ["localhost", "10.0.0.5"], database: "db:5432").count == 2)
        #expect(Files.read(tls + "/localhost.crt") != old)
        #expect(Files.read(tls + "/10.0.0.5.crt") == other)
        #expect(throws: StackError.self) { try Keys.make(in: directory.path, runners: [], hosts: ["../x"], database: "db:5432") }

        let server = try await NATSServer.start(
            configuration: """
                tls { cert_file: "\(tls)/localhost.crt", key_file: "\(tls)/localhost.key", ca_file: "\(tls)/ca.crt", verify: true, timeout: 10 }
                """)
        let bus = try await server.connect {
            $0.tls = BusOptions.TLS(
                certificateAuthorities: tls + "/ca.crt", certificateChain: tls + "/10.0.0.5.crt", privateKey: tls + "/10.0.0.5.key")
        }
        try await bus.flush()
        await bus.close()
    }
}

extension StackTests {
    @Test("A stack keeps the bus's passwords as long as a pod that knows nothing else runs, and not longer")
    func oldPods() throws {
        let it = try TestStack()
        try it.up()
        _ = try it.stack.down(keepPods: true) { _ in }
        // As a stack of before credentials left it, with a pod that runs.
        var settings = try #require(try it.stack.settings())
        #expect(!settings.usesPasswords)
        settings.passwords = nil
        try settings.save(it.stack.home)
        let pod = it.stack.home.runnerDirectory + "/pods/p234567abcdef"
        try Files.makeDirectory(pod)
        try Files.write(#"{"nats_servers":["nats://switchback:secret@127.0.0.1:1"]}"#, to: pod + "/spec.json")
        let shim = try Spawn.start(
            "/bin/bash", ["-c", "exec -a switchback-shim /usr/bin/python3 -c 'import time; time.sleep(1000)' \(pod)"], environment: [:], group: .group)
        func end() {
            kill(shim, SIGKILL)
            var status: Int32 = 0
            waitpid(shim, &status, 0)
        }
        let deadline = Clock.now() + 10
        while Leftovers.shims(home: it.stack.home).isEmpty && Clock.now() < deadline { Clock.pause(0.01) }
        #expect(Leftovers.shims(home: it.stack.home).count == 1)

        try it.up { $0.port = nil }
        #expect(try it.stack.settings()?.natsURL == "nats://switchback:\(settings.natsPassword)@127.0.0.1:\(settings.natsPort)")
        #expect(Files.read(it.stack.home.natsConfiguration)?.contains(settings.natsPassword) == true)
        #expect(Doctor(stack: it.stack).examine().contains { $0.check == "bus" && $0.verdict == .warning && $0.message.contains("1 of its pods") })
        _ = try it.stack.down(keepPods: true) { _ in }
        end()
        try it.up { $0.port = nil }
        #expect(try it.stack.settings()?.natsURL == "nats://127.0.0.1:\(settings.natsPort)")
        #expect(Files.read(it.stack.home.natsConfiguration)?.contains(settings.natsPassword) == false)
        #expect(!Doctor(stack: it.stack).examine().contains { $0.check == "bus" })
    }
}
