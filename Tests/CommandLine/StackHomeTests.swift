import Foundation
import Testing

@testable import LocalStack

/// A directory that is gone after the test.
final class TemporaryDirectory {
    let path: String

    init() {
        path = "/tmp/switchback-test-\(StackSettings.secret(bytes: 6))"
        // PostgreSQL, as its own user, must get through to what is below.
        mkdir(path, 0o711)
    }

    deinit { _ = try? Spawn.run("/bin/rm", ["-rf", path], environment: [:]) }
}

@Suite("Where the stack's data are")
struct StackHomeTests {
    @Test("SWITCHBACK_HOME wins, then an existing ~/.switchback, then XDG, then ~/.switchback")
    func order() throws {
        func place(_ environment: [String: String], exists: Bool = false) throws -> String {
            try StackHome.locate(environment: environment) { _ in exists }.path
        }
        #expect(try place(["SWITCHBACK_HOME": "/x/", "HOME": "/h", "XDG_DATA_HOME": "/d"]) == "/x")
        #expect(try place(["HOME": "/h", "XDG_DATA_HOME": "/d"], exists: true) == "/h/.switchback")
        #expect(try place(["HOME": "/h", "XDG_DATA_HOME": "/d"]) == "/d/switchback")
        #expect(try place(["HOME": "/h", "XDG_DATA_HOME": "relative"]) == "/h/.switchback")
        #expect(try place(["HOME": "/h"]) == "/h/.switchback")
        #expect(throws: StackError.self) { try place([:]) }
    }

    @Test("A fresh home is private, and making it again changes nothing")
    func modes() throws {
        let directory = TemporaryDirectory()
        let home = StackHome(path: directory.path + "/a/b")
        try home.prepare()
        try home.prepare()
        for path in [home.path, home.runDirectory, home.logDirectory, home.natsDirectory] {
            var info = stat()
            #expect(stat(path, &info) == 0)
            #expect(info.st_mode & 0o777 == 0o700, "\(path)")
        }
    }

    @Test("Data of a newer version are refused and left alone")
    func newer() throws {
        let directory = TemporaryDirectory()
        let home = StackHome(path: directory.path)
        try Files.write("99\n", to: home.versionFile)
        let error = #expect(throws: StackError.self) { try home.prepare() }
        #expect(error?.code == .newerData)
        #expect(error?.fix?.contains("SWITCHBACK_HOME") == true)
        #expect(!Files.exists(home.runDirectory))
    }

    @Test("A version file that holds no number is an error, not version 0")
    func garbledVersion() throws {
        let directory = TemporaryDirectory()
        let home = StackHome(path: directory.path)
        try Files.write("soon\n", to: home.versionFile)
        #expect(throws: StackError.self) { try home.prepare() }
    }

    @Test("A file where the directory should be is an error that says what to do")
    func fileInTheWay() throws {
        let directory = TemporaryDirectory()
        try Files.write("", to: directory.path + "/home")
        let error = #expect(throws: StackError.self) { try StackHome(path: directory.path + "/home").prepare() }
        #expect(error?.fix != nil)
    }

    @Test("Damaged settings are an error that names the file")
    func damagedSettings() throws {
        let directory = TemporaryDirectory()
        let home = StackHome(path: directory.path)
        try Files.write("{\"id\":", to: home.settingsFile)
        let error = #expect(throws: StackError.self) { try StackSettings.load(home) }
        #expect(error?.code == .badSettings)
        #expect(error?.message.contains(home.settingsFile) == true)
    }

    @Test("Saved settings come back; secrets are for the owner only; a person's own tokens stay")
    func settings() throws {
        let directory = TemporaryDirectory()
        let home = StackHome(path: directory.path)
        try Files.write("sb_mine viewer alice\n", to: home.tokensFile)
        let settings = StackSettings.sample
        try settings.save(home)
        try settings.save(home)
        #expect(try StackSettings.load(home) == settings)
        let tokens = try #require(Files.read(home.tokensFile))
        #expect(tokens == "sb_mine viewer alice\na admin local\n")
        for path in [home.settingsFile, home.tokensFile] {
            var info = stat()
            #expect(stat(path, &info) == 0)
            #expect(info.st_mode & 0o777 == 0o600)
        }
    }

    @Test("A long path gets its socket elsewhere, within what Unix allows")
    func longPath() throws {
        let home = StackHome(path: "/tmp/" + String(repeating: "long/", count: 40) + "x")
        let place = try PostgreSQL.choosePlace(home: home, id: "cafe0123", user: nil, environment: [:])
        #expect(place.root.hasPrefix(home.path))
        #expect(PostgreSQL.fits(place.socket))
        let short = try PostgreSQL.choosePlace(home: StackHome(path: "/tmp/x"), id: "cafe0123", user: nil, environment: [:])
        #expect(short.socket == "/tmp/x/postgres/socket")
    }

    @Test("The database's address survives odd characters in the path")
    func databaseURL() {
        var settings = StackSettings.sample
        settings.socketDirectory = "/tmp/a b/ü&c"
        #expect(settings.databaseURL == "postgresql:///switchback?host=%2Ftmp%2Fa%20b%2F%C3%BC%26c&user=switchback&password=d")
    }

    @Test("Several instances of a service have names of their own")
    func instances() {
        #expect(StackSettings.sample.instances.map(\.name) == ["relay", "relay-2", "recorder", "registry", "bindings", "detector", "api", "runner"])
    }
}

@Suite("Secrets of a deployment")
struct KeysTests {
    @Test("Each who needs a secret gets a folder; said again, nothing changes; what is gone is made again")
    func keys() throws {
        let directory = TemporaryDirectory()
        func read(_ file: String) -> String { Files.read("\(directory.path)/\(file)") ?? "" }
        let first = try Keys.make(in: directory.path, runners: ["compose"], database: "db:5432")
        for service in ["api", "bindings", "detector", "recorder", "registry", "relay"] {
            #expect(first.contains("\(directory.path)/\(service)/bus.creds"))
            #expect(read("\(service)/bus.creds").hasPrefix("-----BEGIN NATS USER JWT-----\ney"))
        }
        #expect(Set(["relay/bus.creds", "recorder/bus.creds", "runners/compose.creds"].map(read)).count == 3)
        #expect(read("nats/access.conf").contains("resolver_preload"))
        #expect(read("nats/access.conf").firstMatch(of: /\bS[AOU][A-Z2-7]{56}\b/) == nil, "a server needs no seed")
        #expect(read("relay/bus.creds").firstMatch(of: /\bS[AOU][A-Z2-7]{56}\b/) != nil, "what a seed looks like")
        let password = read("database/password").dropLast()
        #expect(read("database/url") == "postgres://switchback:\(password)@db:5432/switchback\n")
        let tokens = read("api/tokens")
        #expect(Keys.token(role: "admin", inFile: directory.path + "/api/tokens").map { tokens.hasPrefix($0 + " admin") } == true)
        #expect(Keys.token(role: "viewer", inFile: directory.path + "/api/tokens") == nil)

        #expect(try Keys.make(in: directory.path, runners: ["compose"], database: "db:5432") == [])
        #expect(try Keys.make(in: directory.path, runners: ["other"], database: "db:5432") == [directory.path + "/runners/other.creds"])
        #expect(throws: StackError.self) { try Keys.make(in: directory.path, runners: ["../x"], database: "db:5432") }
        // Both belong together.
        Files.remove(directory.path + "/database/password")
        #expect(try Keys.make(in: directory.path, runners: [], database: "db:5432").count == 2)
        #expect(read("database/url").contains(read("database/password").dropLast()))
        // Another version's rights.
        try Files.write("other", to: directory.path + "/root/version")
        let relay = read("relay/bus.creds")
        #expect(try Keys.make(in: directory.path, runners: ["compose"], database: "db:5432").contains(directory.path + "/relay/bus.creds"))
        #expect(read("relay/bus.creds") != relay)
        #expect(read("api/tokens") == tokens)
    }
}

@Suite("Logs and locks")
struct LogAndLockTests {
    @Test("A log beyond the limit is emptied, its content kept beside; its writer goes on")
    func rotation() throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/a.log"
        let writer = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        defer { close(writer) }
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 1000)
        for _ in 0..<5 { write(writer, line, line.count) }
        LogRotation.rotate(path, largestBytes: 4000)
        #expect(Files.readBytes(path)?.isEmpty == true)
        #expect(Files.readBytes(path + ".1")?.count == 5000)
        write(writer, line, 10)
        #expect(Files.readBytes(path)?.count == 10)
        LogRotation.rotate(path, largestBytes: 4000)
        #expect(Files.readBytes(path)?.count == 10)
    }

    @Test("A lock is held until it is let go, and seen by others")
    func lock() throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/lock"
        #expect(!Lock.isHeld(path))
        var lock = try Lock.take(path)
        #expect(lock != nil)
        #expect(try Lock.take(path) == nil)
        #expect(Lock.isHeld(path))
        lock = nil
        #expect(!Lock.isHeld(path))
    }

    @Test("A port that somebody listens on is not free")
    func ports() throws {
        let port = try Ports.free()
        #expect(Ports.isFree(port))
        let listener = try Spawn.start(
            "/usr/bin/python3", ["-c", "import socket,time\ns=socket.socket();s.bind(('127.0.0.1',\(port)));s.listen();time.sleep(60)"],
            environment: [:],
            group: .group)
        defer {
            kill(listener, SIGKILL)
            var status: Int32 = 0
            waitpid(listener, &status, 0)
        }
        let deadline = Clock.now() + 10
        while Ports.isFree(port) && Clock.now() < deadline { Clock.pause(0.01) }
        #expect(!Ports.isFree(port))
        #expect(!Ports.isFree(70_000))
        #expect(!Ports.isFree(-1))
    }
}

@Suite("Programs of others")
struct ProgramTests {
    @Test(
        "A version is found in what programs print",
        arguments: [
            ("nats-server: v2.9.10", "2.9.10"), ("nats-server: v2.11.0-RC.1", "2.11.0"),
            ("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)", "15.20"),
        ])
    func versions(text: String, version: String) {
        #expect(NatsServer.versionNumber(in: text) == version)
    }

    @Test("nats-server 2.9 and newer will do, older will not")
    func supported() {
        #expect(NatsServer.isSupported("2.9.10"))
        #expect(NatsServer.isSupported("2.10.26"))
        #expect(NatsServer.isSupported("3.0"))
        #expect(!NatsServer.isSupported("2.8.4"))
        #expect(!NatsServer.isSupported("1.4.1"))
    }

    @Test("A missing program's error says how to install it")
    func missing() {
        let programs = Programs(environment: ["PATH": "/nowhere", "NATS_SERVER": "/nowhere/nats-server"])
        let error = #expect(throws: StackError.self) { try programs.natsServer() }
        #expect(error?.code == .missingProgram)
        let own = #expect(throws: StackError.self) { try Programs(environment: ["SWITCHBACK_LIBEXEC": "/nowhere"]).own("switchback-relay") }
        #expect(own?.fix?.contains("make build") == true)
    }

    @Test("The NATS configuration is one that the installed server accepts")
    func configuration() throws {
        guard let program = try? Programs(environment: ProcessInfo.processInfo.environment).natsServer() else { return }
        let directory = TemporaryDirectory()
        let home = StackHome(path: directory.path + "/a \"b\" \\c")
        try home.prepare()
        try NatsServer.prepare(program: program, settings: .sample, home: home)
        #expect(Files.exists(home.natsConfiguration))
    }

    @Test("A program's output and end come back; one that hangs is ended")
    func run() throws {
        let good = try Spawn.run("/bin/sh", ["-c", "echo out; echo err >&2; cat; exit 3"], environment: [:], input: "in\n")
        #expect(good.end == .exited(3))
        #expect(good.output.split(separator: "\n").sorted() == ["err", "in", "out"])
        let error = #expect(throws: StackError.self) { try Spawn.run("/bin/sh", ["-c", "sleep 100 & wait"], environment: [:], seconds: 0.2) }
        #expect(error?.code == .timedOut)
        #expect(throws: StackError.self) { try Spawn.run("/nowhere/program", [], environment: [:]) }
    }
}
