import Compression
import Digest
import Testing

@Suite("Compression and digests")
struct CompressionAndDigestTests {
    @Test("What was packed unpacks to the same bytes", arguments: [0, 1, 100, 65_536, 1_000_000])
    func roundTrip(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        for level: Int32 in [1, 3, 9] {
            let packed = try Zstd.compress(bytes, level: level)
            #expect(try Zstd.decompress(packed, limit: count) == bytes)
        }
    }

    @Test("A frame larger than allowed is refused before it is unpacked")
    func bomb() throws {
        let packed = try Zstd.compress([UInt8](repeating: 0, count: 10_000_000))
        let error = #expect(throws: CompressionError.self) { try Zstd.decompress(packed, limit: 9_999_999) }
        #expect(error?.code == .tooLarge)
    }

    @Test("Damaged frames are errors, wherever the damage is")
    func damage() throws {
        let bytes = (0..<2000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        let packed = try Zstd.compress(bytes)
        for length in 0..<packed.count {
            #expect(throws: CompressionError.self) { try Zstd.decompress(Array(packed.prefix(length)), limit: 1 << 20) }
        }
        for index in packed.indices {
            var damaged = packed
            damaged[index] ^= 0x55
            _ = try? Zstd.decompress(damaged, limit: 1 << 20)
        }
    }

    @Test("SHA-256 gives the standard's values, whole or in parts")
    func sha256() {
        // FIPS 180-4 examples.
        #expect(SHA256.digest([]).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(SHA256.digest(Array("abc".utf8)).hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(SHA256.digest(Array("a".utf8), [], Array("bc".utf8)) == SHA256.digest(Array("abc".utf8)))
        let hasher = SHA256Hasher()
        hasher.update(Array("x".utf8))
        _ = hasher.finish()
        #expect(hasher.finish() == SHA256.digest([]))
    }

    @Test("Random bytes have the length asked for and differ")
    func random() {
        #expect(RandomBytes.generate(0).isEmpty)
        #expect(RandomBytes.generate(16).count == 16)
        #expect(RandomBytes.hex(16).count == 32)
        #expect(Set((0..<100).map { _ in RandomBytes.hex(8) }).count == 100)
    }
}
