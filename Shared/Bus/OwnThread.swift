internal import CNats
#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Runs a call that blocks on a thread of its own, because the cooperative threads are few and must never wait.
enum OwnThread {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    static func start(stackBytes: Int = 256 << 10, _ body: @escaping @Sendable () -> Void) {
        let context = Unmanaged.passRetained(Work(body)).toOpaque()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, stackBytes)
        var thread = pthread_t()
        let result = pthread_create(
            &thread, &attributes,
            { context in
                if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            }, context)
        // Without a thread (limit reached) late is better than never.
        if result != 0 { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
    }

    static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Result<Value, BusError>) async throws(BusError) -> Value {
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, BusError>, Never>) in
            start { continuation.resume(returning: body()) }
        }
        return try result.get()
    }
}
