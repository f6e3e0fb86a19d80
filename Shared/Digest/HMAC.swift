internal import COpenSSL

/// Keyed hashes (RFC 2104), from libcrypto.
public enum HMAC {
    /// HMAC-SHA-256 as 64 lower-case hexadecimal digits.
    public static func sha256(key: [UInt8], _ message: [UInt8]) -> String {
        var length: UInt32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: SHA256Digest.byteCount) { target, written in
            let result = COpenSSL.HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, target.baseAddress, &length)
            precondition(result != nil, "libcrypto has SHA-256")
            written = Int(length)
        }
        return hexadecimal(bytes)
    }
}
