import Foundation
import Testing

@testable import LocalStack

@Suite("Who is who among processes")
struct ProcessTableTests {
    @Test("A program's name with spaces and parentheses does not shift the fields")
    func oddNames() throws {
        let tail = "S 42 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 200"
        for name in ["bash", "a b", "x) R 7 (y", "(((", "tmux: server"] {
            let stat = try #require(ProcessTable.Stat("123 (\(name)) \(tail)"))
            #expect(stat.parent == 42)
            #expect(stat.startTicks == 987_654)
            #expect(stat.state == "S")
        }
    }

    @Test("Garbled and short lines give nothing", arguments: ["", "1", "1 (bash", "1 (bash) S", "1 (bash) S x 3 4"])
    func garbled(text: String) {
        #expect(ProcessTable.Stat(text) == nil)
    }

    @Test("This process is alive; the same number with another start time is a stranger")
    func identity() {
        let me = ProcessTable.current
        #expect(me.isAlive)
        var stranger = me
        stranger.startTicks += 1
        #expect(!stranger.isAlive)
        var otherBoot = me
        otherBoot.boot = "another"
        #expect(!otherBoot.isAlive)
    }

    @Test("A child that ended is not alive, waited for or not")
    func ended() throws {
        let pid = try Spawn.start("/bin/sleep", ["100"], environment: [:], group: .group)
        let identity = try #require(ProcessTable.identity(of: pid))
        #expect(identity.isAlive)
        kill(pid, SIGKILL)
        let deadline = Clock.now() + 10
        while identity.isAlive && Clock.now() < deadline { Clock.pause(0.005) }
        #expect(!identity.isAlive)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        #expect(ProcessEnd(waitStatus: status) == .killed(signal: SIGKILL))
    }

    @Test("Only what carries the stack's mark and looks like the program is a leftover")
    func leftovers() throws {
        let home = StackHome(path: "/tmp/none")
        let settings = StackSettings.sample
        #expect(Leftovers.fits("nats", ["nats-server", "-c", home.natsConfiguration], settings, home))
        #expect(!Leftovers.fits("nats", ["nats-server", "-c", "/etc/nats.conf"], settings, home))
        #expect(Leftovers.fits("postgres", ["/usr/lib/postgresql/15/bin/postgres", "-D", settings.postgresRoot + "/data"], settings, home))
        #expect(!Leftovers.fits("postgres", ["postgres: checkpointer"], settings, home))
        #expect(Leftovers.fits("relay-2", ["/opt/switchback-relay"], settings, home))
        #expect(!Leftovers.fits("relay", ["/usr/bin/vim"], settings, home))
        #expect(!Leftovers.fits("relay", [], settings, home))

        // A stranger that inherited the mark, as an agent's children do.
        let stranger = try Spawn.start("/bin/sleep", ["100"], environment: [StackPlan.marker: settings.id + "/relay"], group: .group)
        defer {
            kill(stranger, SIGKILL)
            var status: Int32 = 0
            waitpid(stranger, &status, 0)
        }
        #expect(!Leftovers.find(settings: settings, home: home).contains { $0.process.pid == stranger })
    }
}

extension StackSettings {
    static var sample: StackSettings {
        StackSettings(
            id: StackSettings.secret(bytes: 4), apiHost: "127.0.0.1", apiPort: 7420, natsPort: 4333, healthPorts: [:], natsPassword: "n",
            tapPassword: "t",
            databasePassword: "d", adminToken: "a", postgresRoot: "/tmp/none/postgres", socketDirectory: "/tmp/none/postgres/socket",
            scale: ["relay": 2])
    }
}
