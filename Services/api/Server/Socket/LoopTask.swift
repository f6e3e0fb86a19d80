internal import Contract
internal import NIOCore

final class Weak<Object: AnyObject> {
    weak var object: Object?
    init(_ object: Object) { self.object = object }
}

/// Work that waits, for something that lives on an event loop.
enum LoopTask {
    /// Runs `work`, then `then` on the loop, if the owner still lives. To be called on the loop.
    static func run<Owner: AnyObject, Value: Sendable>(
        for owner: Owner, on loop: any EventLoop, _ work: @escaping @Sendable () async throws(ErrorBody) -> Value,
        then: @escaping (Owner, Result<Value, ErrorBody>) -> Void
    ) {
        let bound = NIOLoopBound((Weak(owner), then), eventLoop: loop)
        Task {
            let result: Result<Value, ErrorBody>
            do throws(ErrorBody) {
                result = .success(try await work())
            } catch {
                result = .failure(error)
            }
            loop.execute {
                let (owner, then) = bound.value
                if let owner = owner.object { then(owner, result) }
            }
        }
    }
}

extension ErrorBody {
    /// A refused operation as an error: the result is the code.
    init(_ applied: Applied) {
        let code: Code = applied.result == .denied ? .denied : applied.result == .gone ? .gone : Code(rawValue: applied.result.rawValue)
        self.init(code, applied.message ?? "refused: \(applied.result.rawValue)")
    }
}
