internal import CNats

extension BusConnection {
    /// Sends a message. Without a server it waits in the reconnect buffer.
    /// - Throws: `bufferFull` when that is full, `payloadTooLarge`, `invalidSubject`, `closed`.
    public func publish(
        _ subject: String, payload: UnsafeRawBufferPointer, headers: [(String, String)] = [], reply: String? = nil
    ) throws(BusError) {
        guard let looped else { return try send(subject, payload, headers, reply) }
        try looped.sending(bytes: payload.count) { () throws(BusError) in try send(subject, payload, headers, reply) }
    }

    private func send(
        _ subject: String, _ payload: UnsafeRawBufferPointer, _ headers: [(String, String)], _ reply: String?
    ) throws(BusError) {
        let count = Int32(clamping: payload.count)
        if headers.isEmpty {
            if let reply {
                try check(
                    natsConnection_PublishRequest(handle, subject, reply, payload.baseAddress, count), "publishing to \(subject)")
            } else {
                try check(natsConnection_Publish(handle, subject, payload.baseAddress, count), "publishing to \(subject)")
            }
            return
        }
        var created: OpaquePointer?
        let bytes = payload.baseAddress?.assumingMemoryBound(to: CChar.self)
        try check(natsMsg_Create(&created, subject, reply, bytes, count), "making a message for \(subject)")
        guard let message = created else { throw BusError(.library, "making a message for \(subject): no memory") }
        defer { MessageTrash.shared.discard(message, bytes: payload.count) }
        for (name, value) in headers {
            try check(natsMsgHeader_Add(message, name, value), "setting the header \(name)")
        }
        try check(natsConnection_PublishMsg(handle, message), "publishing to \(subject)")
    }

    public func publish(
        _ subject: String, payload: some Collection<UInt8>, headers: [(String, String)] = [], reply: String? = nil
    ) throws(BusError) {
        let result = payload.withContiguousStorageIfAvailable { bytes -> Result<Void, BusError> in
            Result { () throws(BusError) in
                try publish(subject, payload: UnsafeRawBufferPointer(bytes), headers: headers, reply: reply)
            }
        }
        if let result { return try result.get() }
        try publish(subject, payload: Array(payload), headers: headers, reply: reply)
    }

    /// Returns when the server has everything that was published before.
    /// - Throws: `timeout`, `closed`.
    public func flush(timeout: Duration = .seconds(10)) async throws(BusError) {
        // What comes back on our own inbox was behind everything else; libnats' own flush would block a thread.
        _ = try await exchange(timeout: timeout, what: "flushing") { reply throws(BusError) in
            try self.publish(reply, payload: UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }
}
