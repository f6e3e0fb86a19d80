import BindingsCore
import Contract
import Testing

@Suite("What a binding becomes")
struct BindingMachineTests {
    let a = PodID("paaaaaaaaaaaa")!
    let b = PodID("pbbbbbbbbbbbb")!
    let now = Timestamp(microseconds: 1_000_000)
    var fromA: Author { Author(kind: .pod, id: a.text) }
    var fromB: Author { Author(kind: .pod, id: b.text) }
    let person = Author(kind: .person, id: "ada")

    func request(
        _ scopes: [Scope], live: Binding? = nil, by author: Author? = nil, policy: BindingPolicy = .explicit, sameOwner: Bool = false,
        at time: Timestamp? = nil
    ) throws -> BindingMachine.Change? {
        try BindingMachine.request(
            RequestBinding(from: a, to: b, scopes: scopes, author: author ?? fromA, role: .operator, note: "please"), live: live, id: "B-one",
            policy: policy, isSameOwner: sameOwner, now: time ?? now)
    }

    func pending(_ scopes: [Scope] = [.read, .write]) throws -> Binding { try #require(try request(scopes)).binding }

    func code(_ body: () throws -> Any?) -> ErrorBody.Code? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? ErrorBody)?.code
        }
    }

    @Test("A request is pending for 24 hours and grants nothing")
    func requests() throws {
        let binding = try pending()
        #expect(binding.state == .pending)
        #expect(binding.granted.isEmpty)
        #expect(binding.pending == [.read, .write])
        #expect(binding.expires == now + .seconds(86_400))
        #expect(!binding.grants(.read))
    }

    @Test("A pod cannot be bound to itself, ask for nothing, or ask in another's name")
    func refusedRequests() {
        #expect(
            code {
                try BindingMachine.request(
                    RequestBinding(from: a, to: a, scopes: [.read], author: fromA), live: nil, id: "B-x", policy: .explicit, isSameOwner: true, now: now)
            } == .badRequest)
        #expect(code { try request([]) } == .badRequest)
        #expect(code { try request([.read], by: fromB) } == .denied)
        #expect(
            code {
                try BindingMachine.request(
                    RequestBinding(from: a, to: b, scopes: [.read], author: person, role: .viewer), live: nil, id: "B-x", policy: .explicit,
                    isSameOwner: false, now: now)
            } == .denied)
    }

    @Test("Part can be accepted; the rest stays pending")
    func acceptsPart() throws {
        let part = try BindingMachine.accept(DecideBinding(id: "B-one", author: fromB, scopes: [.read]), pending(), now: now).binding
        #expect(part.state == .active)
        #expect(part.granted == [.read])
        #expect(part.pending == [.write])
        #expect(part.grants(.read) && !part.grants(.write))
        let whole = try BindingMachine.accept(DecideBinding(id: "B-one", author: fromB), part, now: now).binding
        #expect(whole.granted == [.read, .write])
        #expect(whole.expires == nil)
        #expect(code { try BindingMachine.accept(DecideBinding(id: "B-one", author: fromB), whole, now: now) } == .conflict)
    }

    @Test("Neither the requester nor a stranger accepts; a person does")
    func whoAccepts() throws {
        let binding = try pending()
        let stranger = Author(kind: .pod, id: "pccccccccccccc".dropLast().description)
        #expect(code { try BindingMachine.accept(DecideBinding(id: "B-one", author: fromA), binding, now: now) } == .denied)
        #expect(code { try BindingMachine.accept(DecideBinding(id: "B-one", author: stranger), binding, now: now) } == .denied)
        #expect(code { try BindingMachine.accept(DecideBinding(id: "B-one", author: person, role: .viewer), binding, now: now) } == .denied)
        #expect(code { try BindingMachine.reject(DecideBinding(id: "B-one", author: fromA), binding, now: now) } == .denied)
        #expect(try BindingMachine.accept(DecideBinding(id: "B-one", author: person, role: .operator), binding, now: now).binding.state == .active)
    }

    @Test("With ask_person the target itself may not accept")
    func asksPerson() throws {
        let binding = try #require(try request([.read], policy: .askPerson, sameOwner: true)).binding
        #expect(binding.state == .pending)
        #expect(code { try BindingMachine.accept(DecideBinding(id: "B-one", author: fromB), binding, now: now) } == .denied)
        #expect(try BindingMachine.accept(DecideBinding(id: "B-one", author: person, role: .admin), binding, now: now).binding.state == .active)
    }

    @Test("Pods of one owner are bound at once only where the policy says so")
    func sameOwner() throws {
        let bound = try #require(try request([.read], policy: .sameOwnerAuto, sameOwner: true)).binding
        #expect(bound.state == .active && bound.granted == [.read] && bound.pending.isEmpty && bound.expires == nil)
        #expect(try #require(try request([.read], policy: .sameOwnerAuto, sameOwner: false)).binding.state == .pending)
        #expect(try #require(try request([.read], policy: .explicit, sameOwner: true)).binding.state == .pending)
    }

    @Test("What is granted or pending already changes nothing; a new scope is pending while the rest stays active")
    func asksMore() throws {
        let active = try BindingMachine.accept(DecideBinding(id: "B-one", author: fromB), pending([.read]), now: now).binding
        #expect(try request([.read], live: active) == nil)
        #expect(try request([.read, .write], live: pending()) == nil)
        let more = try #require(try request([.read, .write], live: active))
        #expect(more.what == "asked")
        #expect(more.binding.state == .active && more.binding.grants(.read) && !more.binding.grants(.write))
        #expect(more.binding.pending == [.write])
        let refused = try BindingMachine.reject(DecideBinding(id: "B-one", author: fromB, reason: "no"), more.binding, now: now).binding
        #expect(refused.state == .active && refused.pending.isEmpty && refused.grants(.read))
        #expect(
            code { try BindingMachine.accept(DecideBinding(id: "B-one", author: fromB, scopes: [.approve]), more.binding, now: now) } == .badRequest)
    }

    @Test("A rejected or revoked binding is over, and can be asked for again")
    func rejectsAndRevokes() throws {
        let rejected = try BindingMachine.reject(DecideBinding(id: "B-one", author: fromB, reason: "busy"), pending(), now: now).binding
        #expect(rejected.state == .inactive && rejected.reason == .rejected && rejected.answer == "busy")
        #expect(code { try BindingMachine.accept(DecideBinding(id: "B-one", author: fromB), rejected, now: now) } == .gone)
        #expect(code { try BindingMachine.revoke(DecideBinding(id: "B-one", author: fromB), rejected, now: now) } == .gone)
        let active = try BindingMachine.accept(DecideBinding(id: "B-one", author: fromB), pending(), now: now).binding
        for side in [fromA, fromB] {
            let revoked = try BindingMachine.revoke(DecideBinding(id: "B-one", author: side), active, now: now).binding
            #expect(revoked.state == .inactive && revoked.reason == .revoked && !revoked.grants(.read))
        }
        // With no live binding a new request makes a new one.
        #expect(try #require(try request([.read], live: nil)).binding.state == .pending)
    }

    @Test("What is pending lapses; what is granted does not; nothing is accepted afterwards")
    func lapses() throws {
        let binding = try pending()
        let late = now + .seconds(86_401)
        #expect(BindingMachine.expire(binding, now: now + .seconds(86_399)) == nil)
        #expect(code { try BindingMachine.accept(DecideBinding(id: "B-one", author: fromB), binding, now: late) } == .gone)
        let lapsed = try #require(BindingMachine.expire(binding, now: late)).binding
        #expect(lapsed.state == .inactive && lapsed.reason == .expired)
        let part = try BindingMachine.accept(DecideBinding(id: "B-one", author: fromB, scopes: [.read]), binding, now: now).binding
        let rest = try #require(BindingMachine.expire(part, now: late)).binding
        #expect(rest.state == .active && rest.pending.isEmpty && rest.grants(.read))
        #expect(BindingMachine.expire(rest, now: late) == nil)
    }

    @Test("A binding ends with its pod, once")
    func endsWithPod() throws {
        let ended = try #require(BindingMachine.podEnded(pending(), now: now)).binding
        #expect(ended.state == .inactive && ended.reason == .podEnded)
        #expect(BindingMachine.podEnded(ended, now: now) == nil)
    }
}
