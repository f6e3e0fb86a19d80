internal import Contract
internal import Tracing

/// Names by OpenTelemetry's conventions for messaging. What a message says is not told.
enum MessageSpans {
    static func attributes(_ name: String, _ type: String) -> SpanAttributes {
        ["messaging.system": "switchback", "messaging.operation.name": .string(name), "messaging.operation.type": .string(type)]
    }

    static func tell(_ message: ChannelMessage, _ attributes: inout SpanAttributes) {
        attributes.set("messaging.destination.name", value: .string(message.channel))
        attributes.set("messaging.message.id", value: .string(message.id))
        attributes.set("messaging.message.body.size", value: .int64(Int64(message.text.utf8.count)))
    }
}
