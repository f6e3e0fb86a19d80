import Bus
import BusRights
import Contract
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Rights on the bus, held by a real server", .serialized)
struct RightsTests {
    @Test("a shim stores its own pod's frames and hears its own requests, and answers them")
    func shim() async throws {
        let trusted = try await TrustedBus.start()
        let admin = try await trusted.connect(.admin)
        try await JetStream(admin.bus).ensureStreams()
        let pod = PodID.random()
        // Names keep their letters' case.
        let shim = try await trusted.connect(shim: pod, runner: "Host-1")
        let publisher = try AckedPublisher(shim.bus)
        for (index, kind) in FrameKind.allCases.enumerated() {
            _ = publisher.publish(Subjects.pty(pod, kind), payload: [UInt8(index)], headers: [(Headers.messageID, "\(pod).\(index + 1)")])
        }
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        // What it asks after a reconnect: the newest frame of its pod, of whatever kind.
        let newest = try await JetStream(shim.bus).lastMessageDirectly(Streams.terminals, subject: Subjects.pty(pod))
        #expect(newest?.header(Headers.messageID) == "\(pod).\(FrameKind.allCases.count)")
        #expect(newest?.payload == [UInt8(FrameKind.allCases.count - 1)])
        #expect(try await JetStream(shim.bus).lastMessageDirectly(Streams.terminals, subject: "pty.\(pod.shard).\(pod).none") == nil)

        try shim.bus.serve(Subjects.shimAll(pod)) { BusReply($0.payload) }
        try shim.bus.serve(Subjects.runnerStop("Host-1", pod)) { BusReply($0.payload) }
        try await shim.bus.flush()
        let relay = try await trusted.connect(.service(.relay))
        #expect(try await relay.bus.request(Subjects.shimWrite(pod), payload: [7]).payload == [7])
        let runner = try await trusted.connect(.runner("Host-1"))
        #expect(try await runner.bus.request(Subjects.runnerStop("Host-1", pod), payload: [8]).payload == [8])
        #expect(shim.refusals.texts == [])
        #expect(relay.refusals.texts == [])
        #expect(runner.refusals.texts == [])
    }

    @Test("a shim can do nothing to another pod, nor as anybody else")
    func shimRefused() async throws {
        let trusted = try await TrustedBus.start()
        let admin = try await trusted.connect(.admin)
        try await JetStream(admin.bus).ensureStreams()
        let (mine, other) = (PodID.random(), PodID.random())
        let shim = try await trusted.connect(shim: mine)
        for subject in FrameKind.allCases.map({ Subjects.pty(other, $0) }) + [
            Subjects.shimWrite(other), Subjects.shimWrite(mine), Subjects.shimStop(other), Subjects.status(mine), "event.pod.\(other).spool_full",
            Subjects.relay(mine.shard, "write"), Subjects.podsList, Subjects.credentialsCheck, Subjects.runner("local", "start"),
            Subjects.bindingsAccept, "\(Subjects.inbox(shim: other)).x.1", "\(Subjects.inbox(service: "relay")).x.1",
            "$JS.API.STREAM.MSG.GET.PTY", "$JS.API.DIRECT.GET.PTY", "$JS.API.DIRECT.GET.PTY.pty.\(other.shard).\(other).out",
            "$JS.API.CONSUMER.CREATE.PTY", "$JS.API.STREAM.PURGE.PTY", "$JS.API.STREAM.DELETE.PTY", "$JS.API.STREAM.UPDATE.PTY", "$JS.API.INFO",
            "$SRV.PING",
        ] {
            #expect(try await shim.publishIsRefused(subject), "published \(subject)")
        }
        for subject in [
            Subjects.pty(other), Subjects.pty(mine), Subjects.allTerminals, Subjects.shimAll(other), "shim.>", "shim.*.write",
            Subjects.inbox(shim: other) + ".>", "_INBOX.>", ">", Subjects.runner("local", "start"), Subjects.runnerStop("local", other),
            Subjects.allStatus,
        ] {
            #expect(try await shim.subscribeIsRefused(subject), "subscribed to \(subject)")
        }
        #expect(try await JetStream(admin.bus).streamInfo(Streams.terminals).messages == 0)
    }

    @Test("answers go to who asked, once, and to nobody else")
    func answers() async throws {
        let trusted = try await TrustedBus.start()
        let pod = PodID.random()
        let shim = try await trusted.connect(shim: pod)
        let asked = Mutex<String?>(nil)
        try shim.bus.subscribe(Subjects.shimAll(pod)) { message in asked.withLock { $0 = message.reply } }
        try await shim.bus.flush()
        let relay = try await trusted.connect(.service(.relay))
        try relay.bus.publish(Subjects.shimWrite(pod), payload: [1], reply: "\(Subjects.inbox(service: "relay")).asked")
        let reply = try await eventually(within: .seconds(5), "no request came") { asked.withLock { $0 } }
        #expect(try await !shim.publishIsRefused(reply))
        #expect(try await shim.publishIsRefused(reply), "answered twice")
    }

    @Test("a runner reads no terminal, types into none, and stops no other runner's pods")
    func runner() async throws {
        let trusted = try await TrustedBus.start()
        let runner = try await trusted.connect(.runner("a"))
        let pod = PodID.random()
        for subject in [
            Subjects.pty(pod), Subjects.pty(pod, .out), Subjects.allTerminals, Subjects.viewDelta(pod), Subjects.shimAll(pod), "runner.b.*",
            Subjects.inbox(runner: "b") + ".>", Subjects.inbox(shim: pod) + ".>", Subjects.allEvents, ">", "registry.>", "$SRV.*.runner.b", "$SRV.*.relay",
        ] {
            #expect(try await runner.subscribeIsRefused(subject), "subscribed to \(subject)")
        }
        for subject in [
            Subjects.pty(pod, .out), Subjects.shimWrite(pod), Subjects.shimStop(pod), Subjects.runnerStop("b", pod), Subjects.runner("b", "start"),
            Subjects.podsCreate, Subjects.podsList, Subjects.credentialsCheck, Subjects.relay(pod.shard, "screen"),
            Subjects.recorder(pod.shard, "seek"), "$JS.API.STREAM.MSG.GET.PTY", "$JS.API.DIRECT.GET.PTY.pty.\(pod.shard).\(pod).out",
            "$JS.API.CONSUMER.CREATE.PTY",
        ] {
            #expect(try await runner.publishIsRefused(subject), "published \(subject)")
        }
        #expect(try await !runner.publishIsRefused(Subjects.runnersHeartbeat))
        #expect(try await !runner.subscribeIsRefused("runner.a.*"))
        // It can be listed, by its own name alone.
        for subject in ["$SRV.*", "$SRV.*.runner", "$SRV.*.runner.a"] { #expect(try await !runner.subscribeIsRefused(subject), "\(subject)") }
    }

    @Test("only the relay types into terminals, and only the detector says what an agent is doing")
    func services() async throws {
        let trusted = try await TrustedBus.start()
        let pod = PodID.random()
        for service in BusIdentity.Service.allCases {
            let it = try await trusted.connect(.service(service))
            for (subject, owner) in [
                (Subjects.shimWrite(pod), BusIdentity.Service.relay), (Subjects.shimWritten(pod), .relay), (Subjects.shimResize(pod), .relay), (Subjects.status(pod), .detector),
                (Subjects.statusChanged(pod), .detector), (Subjects.detectorMemory(pod), .detector), (Subjects.viewDelta(pod), .relay),
                (Subjects.event("binding", "b1", "accepted"), .bindings), (Subjects.event("pod", pod.text, "created"), .registry),
                (Subjects.event("recording", pod.text, "complete"), .recorder), (Subjects.runner("a", "start"), .registry),
                ("$JS.ACK.PTY.registry-control.1.1.1.1.1", .registry), ("$JS.API.CONSUMER.MSG.NEXT.EVENTS.bindings-pods", .bindings),
            ] {
                #expect(try await it.publishIsRefused(subject) == (service != owner), "\(service) publishes \(subject)")
            }
            for subject in [
                "$JS.API.STREAM.DELETE.PTY", "$JS.API.STREAM.PURGE.PTY", "$JS.API.STREAM.UPDATE.PTY", "$JS.API.STREAM.MSG.DELETE.PTY",
                "$JS.API.CONSUMER.DELETE.PTY.registry-control", "\(Subjects.inbox(shim: pod)).x.1",
            ] {
                #expect(try await it.publishIsRefused(subject), "\(service) publishes \(subject)")
            }
            if service != .api {
                #expect(try await it.publishIsRefused(Subjects.pty(pod, .out)), "\(service) publishes frames")
                #expect(try await it.publishIsRefused(Subjects.pty(pod, .in)), "\(service) publishes frames")
            }
            if ![.api, .relay, .detector].contains(service) {
                #expect(try await it.subscribeIsRefused(Subjects.allTerminals), "\(service) reads terminals")
            }
            #expect(try await it.subscribeIsRefused("shim.>"), "\(service) hears what is typed")
            #expect(try await it.subscribeIsRefused("_INBOX.>"), "\(service) hears all answers")
        }
    }

    @Test("tap hears what happens, but publishes nothing and sees no credential")
    func tap() async throws {
        let trusted = try await TrustedBus.start()
        let tap = try await trusted.connect(.tap)
        let admin = try await trusted.connect(.admin)
        let pod = PodID.random()
        let heard = Mutex<[String]>([])
        try tap.bus.subscribe(">") { message in heard.withLock { $0.append(message.subject) } }
        try await tap.bus.flush()
        let secret = [
            Subjects.runner("a", "start"), Subjects.credentialsCheck, Subjects.webhooksAdd, Subjects.auditEntry, "\(Subjects.inbox(service: "api")).x",
            "\(Subjects.inbox(runner: "a")).x",
            "\(Subjects.inbox(shim: pod)).x",
        ]
        for subject in secret + [Subjects.pty(pod, .out), "event.pod.x.y", "last"] { try admin.bus.publish(subject, payload: [1]) }
        try await eventually(within: .seconds(5), "tap did not hear the last", holds: { heard.withLock { $0.contains("last") } })
        #expect(heard.withLock { $0.filter { !$0.hasPrefix("_INBOX.tap") && !$0.hasPrefix("$") } } == [Subjects.pty(pod, .out), "event.pod.x.y", "last"])
        for subject in [
            Subjects.pty(pod, .out), Subjects.shimWrite(pod), Subjects.podsCreate, Subjects.podsStop, Subjects.status(pod),
            "$JS.API.STREAM.DELETE.PTY", "$JS.API.STREAM.CREATE.X", "$JS.API.CONSUMER.CREATE.PTY", "$JS.API.STREAM.PURGE.PTY",
            "$JS.API.STREAM.MSG.DELETE.PTY", "$JS.API.CONSUMER.DELETE.PTY.registry-control",
        ] {
            #expect(try await tap.publishIsRefused(subject), "published \(subject)")
        }
        #expect(try await !tap.publishIsRefused("$SRV.PING", reply: "\(Subjects.inbox(service: "tap")).x"))
    }

    @Test("a credential that was taken back is let in no more, what is open by it is closed, and nobody else notices")
    func revoked() async throws {
        let it = try await TrustedBus.start()
        let pod = PodID.random()
        let stolen = it.trusted.shimSigner.credentials(pod: pod, runner: "local")
        let thief = try await it.connect(stolen, inbox: Subjects.inbox(shim: pod))
        let other = try await it.connect(shim: pod)
        let isClosed = Mutex(false)
        thief.bus.onStateChange { if $0 == .closed { isClosed.withLock { $0 = true } } }
        let revocation = try #require(BusRevocation(stolen))
        #expect(BusRevocation(revocation.user)?.user == revocation.user)
        #expect(BusRevocation(line: revocation.line) == revocation)
        try it.server.reload(configuration: it.trusted.serverConfiguration(revoked: [revocation], replacing: it.configuration))
        try await eventually(within: .seconds(60), "it is still open", holds: { isClosed.withLock { $0 } })
        await #expect { _ = try await it.connect(stolen, inbox: Subjects.inbox(shim: pod)) } throws: { ($0 as? BusError)?.code == .authentication }
        // One of the same pod that was not taken back, before and after.
        try await other.bus.flush()
        #expect(other.bus.statistics.reconnects == 0)
        _ = try await it.connect(shim: pod)
    }

    @Test(
        "what is no key and no credentials file is not taken for one",
        arguments: ["", "U", "relay", "UAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "-----BEGIN USER NKEY SEED-----", "-----BEGIN USER NKEY SEED-----\nSU"])
    func noKey(text: String) {
        #expect(BusRevocation(text) == nil)
    }

    @Test("nobody comes in without a credential, with a password, or with another deployment's")
    func strangers() async throws {
        let trusted = try await TrustedBus.start()
        await #expect { _ = try await trusted.server.connect() } throws: { ($0 as? BusError)?.code == .authentication }
        await #expect {
            _ = try await trusted.server.connect {
                $0.user = "switchback"
                $0.password = "x"
            }
        } throws: {
            ($0 as? BusError)?.code == .authentication
        }
        let other = BusAuthority()
        await #expect { _ = try await trusted.connect(other.credentials(.admin), inbox: "_INBOX") } throws: { ($0 as? BusError)?.code == .authentication }
        await #expect {
            _ = try await trusted.connect(other.shimSigner.credentials(pod: .random(), runner: "a"), inbox: "_INBOX")
        } throws: {
            ($0 as? BusError)?.code == .authentication
        }
    }

    @Test("seeds and signing keys come back from their text, and damaged ones are refused")
    func seeds() throws {
        let authority = BusAuthority()
        let again = try #require(BusAuthority(seeds: authority.seeds))
        #expect(again.seeds == authority.seeds)
        #expect(again.accountName == authority.accountName)
        #expect(BusAuthority(seeds: authority.seeds.replacing("SA", with: "SB", maxReplacements: 1)) == nil)
        #expect(BusAuthority(seeds: "{}") == nil)
        let signer = authority.shimSigner
        #expect(ShimSigner(signer.text)?.text == signer.text)
        #expect(ShimSigner("") == nil)
        #expect(ShimSigner(signer.text.split(separator: " ")[0]) == nil)
        for kind in NKey.Kind.allCases {
            let key = NKey.random(kind)
            #expect(NKey(seed: key.seed)?.publicKey == key.publicKey)
            var broken = Array(key.seed.utf8)
            broken[20] = broken[20] == 65 ? 66 : 65
            #expect(NKey(seed: String(decoding: broken, as: UTF8.self)) == nil)
        }
    }
}
