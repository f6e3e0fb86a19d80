internal import CNats
internal import Synchronization

/// Gives C messages back to libnats in heaps: it wakes a thread of its own for whatever it is given, which costs more than handling a
/// small message does.
final class MessageTrash: Sendable {
    static let shared = MessageTrash()

    private struct Heap {
        var messages: [SendablePointer] = []
        var bytes = 0
    }

    private static let messageLimit = 64
    private static let byteLimit = 256 << 10

    private let heap = Mutex(Heap())

    func discard(_ message: OpaquePointer, bytes: Int) {
        let pointer = SendablePointer(message)
        let full: [SendablePointer] = heap.withLock { heap in
            heap.messages.append(pointer)
            heap.bytes += bytes
            guard heap.messages.count >= Self.messageLimit || heap.bytes >= Self.byteLimit else { return [] }
            defer { heap = Heap() }
            return heap.messages
        }
        for message in full { natsMsg_Destroy(message.value) }
    }
}
