import Testing

@testable import APIServer

@Suite("Joining a snapshot and a stream")
struct JoinTests {
    struct Number: Step, Equatable {
        var seq: UInt64
        var base: UInt64 { seq - 1 }
        static let loss = Number(seq: .max)
    }

    private func numbers(_ range: ClosedRange<UInt64>) -> [Number] { range.map(Number.init) }

    private func isAttach(_ action: StreamJoin<Number>.Action) -> Bool { number(action) != nil }

    private func number(_ action: StreamJoin<Number>.Action) -> Int? {
        if case .attach(let number) = action { return number }
        return nil
    }

    @Test("gives every step once, in order, wherever the snapshot falls among them")
    func everyPlace() {
        for snapshot in UInt64(0)...12 {
            for received in UInt64(0)...12 {
                var join = StreamJoin<Number>()
                var seen: [UInt64] = []
                _ = join.begin()
                if received > 0 { _ = join.receive(numbers(1...received)) { seen.append($0.seq) } }
                #expect(seen.isEmpty)
                let action = join.attached(1, seq: snapshot, snapshot: {}) { seen.append($0.seq) }
                #expect(!isAttach(action))
                _ = join.receive(numbers(1...20)) { seen.append($0.seq) }
                #expect(seen == Array((snapshot + 1)...20))
            }
        }
    }

    @Test("asks anew at a jump, and goes on exactly after the new snapshot")
    func jump() {
        var join = StreamJoin<Number>()
        var seen: [UInt64] = []
        _ = join.begin()
        _ = join.attached(1, seq: 3, snapshot: {}) { seen.append($0.seq) }
        let action = join.receive([Number(seq: 4), Number(seq: 6), Number(seq: 7)]) { seen.append($0.seq) }
        #expect(isAttach(action))
        #expect(seen == [4])
        _ = join.receive([Number(seq: 8)]) { seen.append($0.seq) }
        _ = join.attached(2, seq: 6, snapshot: { seen = [] }) { seen.append($0.seq) }
        #expect(seen == [7, 8])
    }

    @Test("asks anew when the snapshot is older than the oldest step that waits")
    func oldSnapshot() {
        var join = StreamJoin<Number>()
        _ = join.begin()
        _ = join.receive([Number(seq: 9)]) { _ in }
        let action = join.attached(1, seq: 5, snapshot: {}) { _ in Issue.record("sent out of order") }
        #expect(isAttach(action))
    }

    @Test("drops all for a viewer that does not read, and joins it anew when it reads, without a backlog")
    func stale() {
        var join = StreamJoin<Number>()
        var seen: [UInt64] = []
        _ = join.begin()
        _ = join.attached(1, seq: 1, snapshot: {}) { seen.append($0.seq) }
        join.viewerStopped([])
        _ = join.receive(numbers(2...1000)) { seen.append($0.seq) }
        #expect(seen.isEmpty)
        let action = join.viewerReads()
        #expect(isAttach(action))
        _ = join.receive([Number(seq: 1001)]) { seen.append($0.seq) }
        _ = join.attached(2, seq: 1000, snapshot: {}) { seen.append($0.seq) }
        #expect(seen == [1001])
    }

    @Test("drops a snapshot that comes while the viewer does not read, and asks again when it does")
    func staleWhileAttaching() {
        var join = StreamJoin<Number>()
        _ = join.begin()
        join.viewerStopped([])
        _ = join.attached(1, seq: 4, snapshot: { Issue.record("sent to a viewer that does not read") }) { _ in }
        let action = join.viewerReads()
        #expect(isAttach(action))
    }

    @Test("takes no snapshot that was asked for before steps were dropped: they may have come after it, and no other")
    func outdated() throws {
        var join = StreamJoin<Number>()
        var seen: [UInt64] = []
        let first = try #require(number(join.begin()))
        join.viewerStopped([])
        _ = join.receive(numbers(5...9)) { seen.append($0.seq) }
        let second = try #require(number(join.viewerReads()))
        _ = join.attached(first, seq: 4, snapshot: { Issue.record("an outdated screen was shown") }) { seen.append($0.seq) }
        #expect(join.position == nil)
        _ = join.attached(second, seq: 9, snapshot: {}) { seen.append($0.seq) }
        #expect(join.position == 9)
        #expect(seen.isEmpty)
    }

    @Test("takes no snapshot that lacks what was dropped, whoever is late with it; what never comes is not waited for")
    func late() throws {
        var join = StreamJoin<Number>()
        var seen: [UInt64] = []
        _ = join.begin()
        _ = join.attached(1, seq: 1, snapshot: {}) { _ in }
        join.viewerStopped(numbers(2...4))
        _ = join.receive(numbers(5...7)) { _ in }
        let second = try #require(number(join.viewerReads()))
        _ = join.receive([Number(seq: 8)]) { _ in }
        let again = try #require(number(join.attached(second, seq: 6, snapshot: { Issue.record("a screen that lacks a frame was shown") }) { _ in }))
        #expect(join.position == nil)
        _ = join.attached(again, seq: 7, snapshot: {}) { seen.append($0.seq) }
        #expect(join.position == 8 && seen == [8])
        join.viewerStopped([Number(seq: 1_000_000)])
        var asked = try #require(number(join.viewerReads()))
        for _ in 0..<StreamJoin<Number>.patience { asked = try #require(number(join.attached(asked, seq: 8, snapshot: {}) { _ in })) }
        #expect(number(join.attached(asked, seq: 8, snapshot: {}) { _ in }) == nil && join.position == 8)
    }

    @Test("a snapshot without what was heard of is asked for again, so many times, and one that is taken begins anew")
    func newest() {
        var heard = NewestHeard(patience: 2)
        var answers = [heard.isLacking(0)]
        heard.note(numbers(3...5) + [.loss])
        answers += [heard.isLacking(4), heard.isLacking(5)]
        #expect(answers == [false, true, false])
        heard.note(numbers(6...7))
        heard.note([Number(seq: 2)])
        // Twice is enough: what never comes is not waited for any more, also by what comes later.
        answers = (0..<4).map { _ in heard.isLacking(6) }
        #expect(answers == [true, true, false, false])
    }

    @Test("takes no snapshot that was asked for before the viewer looked at the past, and is not stopped by its failure")
    func back() throws {
        var join = StreamJoin<Number>()
        let first = try #require(number(join.begin()))
        join.stop()
        let second = try #require(number(join.begin()))
        let isLast = join.attachFailed(first)
        #expect(!isLast)
        _ = join.attached(first, seq: 4, snapshot: { Issue.record("an outdated screen was shown") }) { _ in }
        #expect(join.position == nil)
        _ = join.attached(second, seq: 9, snapshot: {}) { _ in }
        #expect(join.position == 9)
        let isLate = join.attachFailed(second)
        #expect(!isLate)
    }

    @Test("asks anew when steps may have been lost, also while a snapshot is under way, and goes on with what came after")
    func lost() throws {
        var join = StreamJoin<Number>()
        var seen: [UInt64] = []
        let first = try #require(number(join.begin()))
        _ = join.receive([Number(seq: 2), .loss, Number(seq: 5)]) { seen.append($0.seq) }
        let second = try #require(number(join.attached(first, seq: 1, snapshot: {}) { seen.append($0.seq) }))
        #expect(seen == [2])
        _ = join.attached(second, seq: 4, snapshot: {}) { seen.append($0.seq) }
        #expect(seen == [2, 5] && join.position == 5)
        let third = try #require(number(join.receive([.loss]) { seen.append($0.seq) }))
        _ = join.attached(third, seq: 9, snapshot: {}) { seen.append($0.seq) }
        #expect(seen == [2, 5] && join.position == 9)
    }

    @Test("asks anew when a snapshot could not be had")
    func failed() throws {
        var join = StreamJoin<Number>()
        let first = try #require(number(join.begin()))
        let isLast = join.attachFailed(first)
        #expect(isLast)
        let second = try #require(number(join.begin()))
        #expect(second != first)
        _ = join.attached(second, seq: 3, snapshot: {}) { _ in }
        #expect(join.position == 3)
    }

    @Test("keeps a bounded number of steps while a snapshot is under way")
    func bounded() {
        var join = StreamJoin<Number>()
        _ = join.begin()
        for seq in UInt64(1)...20_000 { _ = join.receive([Number(seq: seq)]) { _ in } }
        var count = 0
        let action = join.attached(1, seq: 19_000, snapshot: {}) { _ in count += 1 }
        #expect(!isAttach(action))
        #expect(count == 1000)
    }
}
