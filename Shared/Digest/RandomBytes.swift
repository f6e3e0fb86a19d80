internal import COpenSSL

/// Unpredictable bytes for tokens and ids, from libcrypto's generator.
public enum RandomBytes {
    public static func generate(_ count: Int) -> [UInt8] {
        precondition(count >= 0 && count <= 1 << 20, "random bytes are for tokens, not for bulk")
        return [UInt8](unsafeUninitializedCapacity: max(1, count)) { target, written in
            precondition(RAND_bytes(target.baseAddress, Int32(count)) == 1, "libcrypto's generator must be seeded")
            written = count
        }
    }

    /// `count` random bytes as lower-case hexadecimal digits.
    public static func hex(_ count: Int) -> String {
        hexadecimal(generate(count))
    }
}
