internal import NIOCore
internal import NIOWebSocket

/// WebSocket messages (RFC 6455, section 5.2) encoded ahead of sending, so that one buffer serves every viewer.
enum WebSocketWire {
    /// Room a frame's header takes at most: two bytes and a 64 bit length; a server never masks.
    static let headerLimit = 10

    /// A complete unfragmented message: header and payload in one buffer, the payload copied once.
    static func message(_ opcode: WebSocketOpcode, payload: UnsafeRawBufferPointer) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: payload.count + headerLimit)
        writeHeader(opcode, length: payload.count, into: &buffer)
        buffer.writeBytes(payload)
        return buffer
    }

    static func message(_ opcode: WebSocketOpcode, payload: [UInt8]) -> ByteBuffer {
        payload.withUnsafeBytes { message(opcode, payload: $0) }
    }

    static func text(_ text: String) -> ByteBuffer {
        message(.text, payload: Array(text.utf8))
    }

    /// A close message; the reason is cut to the 123 bytes a control frame has room for, at a character's border.
    static func close(code: UInt16, reason: String) -> ByteBuffer {
        var payload = [UInt8(code >> 8), UInt8(code & 0xff)]
        for character in reason {
            let bytes = Array(String(character).utf8)
            if payload.count + bytes.count > 125 { break }
            payload += bytes
        }
        return message(.connectionClose, payload: payload)
    }

    static func writeHeader(_ opcode: WebSocketOpcode, length: Int, into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(0x80) | (UInt8(webSocketOpcode: opcode) & 0x0f))
        if length < 126 {
            buffer.writeInteger(UInt8(length))
        } else if length <= Int(UInt16.max) {
            buffer.writeInteger(UInt8(126))
            buffer.writeInteger(UInt16(length))
        } else {
            buffer.writeInteger(UInt8(127))
            buffer.writeInteger(UInt64(length))
        }
    }
}
