import Bus
import Contract
import Synchronization
import TestSupport
import Testing

@Suite("Traces")
struct TraceTests {
    @Test("reads the header as the specification says, and ignores what is none")
    func header() throws {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let trace = try #require(Trace(text))
        #expect(trace.id == "4bf92f3577b34da6a3ce929d0e0e4736" && trace.span == "00f067aa0ba902b7" && trace.isSampled && trace.value == text)
        #expect(Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")?.isSampled == false)
        // A later version may add to it.
        #expect(Trace("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")?.id == trace.id)
        let child = trace.child()
        #expect(child.id == trace.id && child.span != trace.span && child.isSampled)
        #expect(Trace().id != Trace().id && Trace(Trace().value) != nil)
        for bad in [
            "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", text + "-x", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736\r\n-00f067aa0ba902b7-01",
        ] { #expect(Trace(bad) == nil, "\(bad)") }
    }

    @Test("a request takes its trace along, through a service that asks another")
    func travels() async throws {
        let server = try await NATSServer.start()
        let first = try await server.connect(name: "first"), second = try await server.connect(name: "second"), asker = try await server.connect()
        let told = Mutex<[String]>([])
        first.onTraced { trace, subject, _ in told.withLock { $0.append("first \(trace.id) \(subject)") } }
        second.onTraced { trace, subject, _ in told.withLock { $0.append("second \(trace.id) \(subject)") } }
        try second.serve("second.x") { message in BusReply(Array((Trace.current?.id ?? "none").utf8)) }
        try first.serve(
            "first.x",
            asyncHandler: { _ in
                let answer = try? await first.request("second.x", payload: [UInt8]())
                return BusReply(answer?.payload ?? [])
            })
        try await first.flush()
        try await second.flush()
        func ask() async throws -> String { String(decoding: try await asker.request("first.x", payload: [UInt8]()).payload, as: UTF8.self) }
        #expect(try await ask() == "none")
        #expect(told.withLock { $0.isEmpty })
        let trace = Trace()
        #expect(try await Trace.$current.withValue(trace) { try await ask() } == trace.id)
        try await eventually("they were not told") { told.withLock { $0.count } == 2 ? true : nil }
        #expect(told.withLock { Set($0) } == ["first \(trace.id) first.x", "second \(trace.id) second.x"])
    }
}
