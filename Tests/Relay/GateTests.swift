import Contract
import Testing

@testable import RelayServer

@Suite("The gate")
struct GateTests {
    private let start = Timestamp(microseconds: 1_000_000_000)
    private let alice = Author(kind: .person, id: "alice")
    private let bob = Author(kind: .person, id: "bob")

    private func type(_ author: Author, _ viewer: String?, role: Role? = .operator) -> GateDecision.Operation {
        .init(kind: .type, author: author, role: role, viewer: viewer)
    }

    private func isPass(_ decision: GateDecision) -> Bool { decision == .pass }

    private func result(_ decision: GateDecision) -> Applied.Result? {
        if case .refuse(let result, _) = decision { return result }
        return nil
    }

    @Test("refuses a viewer's input and resize, and leaves the writer as it was")
    func readOnly() {
        var lease = WriterLease()
        #expect(result(GateDecision.decide(type(alice, "a", role: .viewer), scene: .init(), lease: &lease, now: start)) == .denied)
        let resize = GateDecision.Operation(kind: .resize, author: alice, role: .viewer, viewer: "a")
        #expect(result(GateDecision.decide(resize, scene: .init(), lease: &lease, now: start)) == .denied)
        let take = GateDecision.Operation(kind: .takeOver, author: alice, role: .viewer, viewer: "a")
        #expect(result(GateDecision.decide(take, scene: .init(), lease: &lease, now: start)) == .denied)
        #expect(lease.holder == nil)
    }

    @Test("refuses a person without a role, and a pod without a binding")
    func strangers() {
        var lease = WriterLease()
        #expect(result(GateDecision.decide(type(alice, "a", role: nil), scene: .init(), lease: &lease, now: start)) == .denied)
        let pod = Author(kind: .pod, id: "paaaaaaaaaaaa")
        #expect(result(GateDecision.decide(type(pod, nil, role: .admin), scene: .init(), lease: &lease, now: start)) == .denied)
    }

    @Test("lets the first who types write, refuses the second and names the first, until the first leaves")
    func oneWriter() {
        var lease = WriterLease()
        #expect(isPass(GateDecision.decide(type(alice, "a"), scene: .init(), lease: &lease, now: start)))
        guard case .refuse(.busy, let words) = GateDecision.decide(type(bob, "b"), scene: .init(), lease: &lease, now: start) else {
            Issue.record("the second writer was not refused")
            return
        }
        #expect(words.contains("person:alice"))
        #expect(isPass(GateDecision.decide(type(alice, "a"), scene: .init(), lease: &lease, now: start)))
        let released = lease.release(viewer: "a")
        #expect(released)
        #expect(isPass(GateDecision.decide(type(bob, "b"), scene: .init(), lease: &lease, now: start)))
    }

    @Test("refuses a second connection of the same person as well")
    func sameAuthor() {
        var lease = WriterLease()
        #expect(isPass(GateDecision.decide(type(alice, "a"), scene: .init(), lease: &lease, now: start)))
        #expect(result(GateDecision.decide(type(alice, "a2"), scene: .init(), lease: &lease, now: start)) == .busy)
    }

    @Test("gives the pen to whoever takes over, and refuses the one before from then on")
    func takeOver() {
        var lease = WriterLease()
        _ = GateDecision.decide(type(alice, "a"), scene: .init(), lease: &lease, now: start)
        let take = GateDecision.Operation(kind: .takeOver, author: bob, role: .operator, viewer: "b")
        #expect(isPass(GateDecision.decide(take, scene: .init(), lease: &lease, now: start)))
        #expect(lease.holder?.author == bob)
        #expect(result(GateDecision.decide(type(alice, "a"), scene: .init(), lease: &lease, now: start)) == .busy)
        let released = lease.release(viewer: "a")
        #expect(!released)
    }

    @Test("gives up a writer that has said nothing for thirty seconds, not one that types every twenty")
    func idle() {
        var lease = WriterLease()
        var now = start
        for _ in 0..<5 {
            #expect(isPass(GateDecision.decide(type(alice, "a"), scene: .init(), lease: &lease, now: now)))
            now = now + .seconds(20)
            #expect(result(GateDecision.decide(type(bob, "b"), scene: .init(), lease: &lease, now: now)) == .busy)
        }
        #expect(isPass(GateDecision.decide(type(bob, "b"), scene: .init(), lease: &lease, now: now + .seconds(11))))
    }

    @Test("lets a single operation through when nobody writes or its author does, and never makes it the writer")
    func singleOperations() {
        var lease = WriterLease()
        #expect(isPass(GateDecision.decide(type(bob, nil), scene: .init(), lease: &lease, now: start)))
        #expect(lease.holder == nil)
        _ = GateDecision.decide(type(alice, "a"), scene: .init(), lease: &lease, now: start)
        #expect(isPass(GateDecision.decide(type(alice, nil), scene: .init(), lease: &lease, now: start)))
        #expect(result(GateDecision.decide(type(bob, nil), scene: .init(), lease: &lease, now: start)) == .busy)
        #expect(lease.holder?.viewer == "a")
    }

    @Test("says gone after the end, whoever asks")
    func ended() {
        var lease = WriterLease()
        #expect(result(GateDecision.decide(type(alice, "a"), scene: .init(hasExited: true), lease: &lease, now: start)) == .gone)
        #expect(lease.holder == nil)
    }

    @Test("never lets a prompt answer an approval dialog")
    func approval() {
        var lease = WriterLease()
        let status = PodStatus(status: "waiting", reason: "approval", since: start, seq: 1)
        let prompt = GateDecision.Operation(kind: .submit, author: alice, role: .admin, viewer: nil)
        #expect(result(GateDecision.decide(prompt, scene: .init(status: status), lease: &lease, now: start)) == .approvalOpen)
        #expect(isPass(GateDecision.decide(type(alice, "a"), scene: .init(status: status), lease: &lease, now: start)))
    }

    @Test("holds an operation to the status it was decided on; unknown is not idle")
    func ifStatus() {
        var lease = WriterLease()
        var operation = type(alice, "a")
        operation.ifStatus = "idle"
        #expect(result(GateDecision.decide(operation, scene: .init(), lease: &lease, now: start)) == .screenChanged)
        let idle = PodStatus(status: "idle", since: start, seq: 1)
        #expect(isPass(GateDecision.decide(operation, scene: .init(status: idle), lease: &lease, now: start)))
    }

    @Test("leaves the size to the writer")
    func resize() {
        var lease = WriterLease()
        let resize = GateDecision.Operation(kind: .resize, author: bob, role: .operator, viewer: "b")
        #expect(isPass(GateDecision.decide(resize, scene: .init(), lease: &lease, now: start)))
        _ = GateDecision.decide(type(alice, "a"), scene: .init(), lease: &lease, now: start)
        #expect(result(GateDecision.decide(resize, scene: .init(), lease: &lease, now: start)) == .busy)
    }

    @Test("sizes a pod by the smallest viewer who asked, and gives the old size back")
    func smallest() {
        var sizes = SmallestSize()
        let first = sizes.set("a", columns: 100, rows: 30, now: start, current: (120, 40))
        #expect(first.map { [$0.columns, $0.rows] } == [100, 30])
        let second = sizes.set("b", columns: 90, rows: 50, now: start, current: (100, 30))
        #expect(second.map { [$0.columns, $0.rows] } == [90, 30])
        let again = sizes.set("b", columns: 90, rows: 50, now: start, current: (90, 30))
        #expect(again == nil)
        let left = sizes.remove("b", current: (90, 30))
        #expect(left.map { [$0.columns, $0.rows] } == [100, 30])
        let silent = sizes.expire(now: start + .seconds(20), current: (100, 30))
        #expect(silent.map { [$0.columns, $0.rows] } == [120, 40])
        let gone = sizes.remove("a", current: (120, 40))
        #expect(gone == nil)
    }

    @Test("marks pasted text where the program asked for it, and lets nothing in it end the mark")
    func paste() {
        #expect(Paste.bytes(Array("a\nb\r\nc".utf8), bracketed: false) == Array("a\rb\rc".utf8))
        let text = Paste.bytes(Array("x\u{1b}[201~y".utf8), bracketed: true)
        #expect(text.starts(with: Array("\u{1b}[200~".utf8)))
        #expect(text.filter { $0 == 0x1b }.count == 2)
    }
}
