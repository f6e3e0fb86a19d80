/// Whether the bytes are UTF-8.
func isUTF8(_ bytes: some Collection<UInt8>) -> Bool {
    bytes.withContiguousStorageIfAvailable { buffer in
        // ASCII, eight bytes at a time, is nearly everything.
        var index = 0
        let raw = UnsafeRawBufferPointer(buffer)
        while index + 8 <= raw.count, raw.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0 { index += 8 }
        return index == raw.count || String(validating: buffer[index...], as: UTF8.self) != nil
    } ?? (String(validating: bytes, as: UTF8.self) != nil)
}

/// How many bytes at the end are the beginning of a UTF-8 character whose rest is missing; nil if none are.
func incompleteTail(_ bytes: some BidirectionalCollection<UInt8>) -> Int? {
    var count = 0
    for byte in bytes.reversed().prefix(3) {
        count += 1
        if byte & 0xc0 == 0x80 { continue }
        let length = byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1
        return byte < 0xf5 && length > count ? count : nil
    }
    return nil
}
