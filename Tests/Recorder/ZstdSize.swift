import Compression

enum ZstdSize {
    /// Bytes that these take, packed alone.
    static func of(_ bytes: [UInt8]) throws -> Int { try Zstd.compress(bytes, level: 3).count }
}
