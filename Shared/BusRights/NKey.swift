internal import COpenSSL

/// An Ed25519 key as NATS writes it: base32 of a prefix, the key and a checksum. Source: NATS nkeys (github.com/nats-io/nkeys).
public struct NKey: Sendable, Equatable {
    /// Whose key it is; the first letter of its text.
    public enum Kind: UInt8, Sendable, CaseIterable {
        case `operator` = 0x70  // 14 << 3: O
        case account = 0x00  // A
        case user = 0xa0  // 20 << 3: U
    }

    public let kind: Kind
    /// 32 secret bytes.
    private let secret: [UInt8]
    /// The public half, as text: `U…`, `A…` or `O…`.
    public let publicKey: String

    /// A key nobody had before.
    public static func random(_ kind: Kind) -> NKey {
        guard let key = NKey(kind, secret: randomBytes(32)) else { preconditionFailure("libcrypto makes a key of any 32 bytes") }
        return key
    }

    static func randomBytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        precondition(RAND_bytes(&bytes, Int32(count)) == 1, "libcrypto's generator must be seeded")
        return bytes
    }

    private init?(_ kind: Kind, secret: [UInt8]) {
        guard secret.count == 32, let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, secret, secret.count) else { return nil }
        defer { EVP_PKEY_free(key) }
        var half = [UInt8](repeating: 0, count: 32)
        var count = half.count
        guard EVP_PKEY_get_raw_public_key(key, &half, &count) == 1, count == 32 else { return nil }
        self.kind = kind
        self.secret = secret
        publicKey = Self.text([kind.rawValue] + half)
    }

    /// Reads a seed (`SU…`, `SA…`, `SO…`); nil when it is none, or damaged.
    public init?(seed: String) {
        guard let bytes = Base32.decode(seed), bytes.count == 36 else { return nil }
        let checksum = UInt16(bytes[34]) | UInt16(bytes[35]) << 8
        // Five bits say "seed", the next eight whose.
        guard Self.checksum(bytes[..<34]) == checksum, bytes[0] & 0xf8 == Self.seedPrefix,
            let kind = Kind(rawValue: (bytes[0] & 0x07) << 5 | bytes[1] >> 3)
        else { return nil }
        self.init(kind, secret: Array(bytes[2..<34]))
    }

    private static let seedPrefix: UInt8 = 18 << 3

    /// Whether a text is somebody's public key, undamaged.
    static func isPublic(_ text: String, _ kind: Kind) -> Bool {
        guard let bytes = Base32.decode(text), bytes.count == 35 else { return false }
        return bytes[0] == kind.rawValue && checksum(bytes[..<33]) == UInt16(bytes[33]) | UInt16(bytes[34]) << 8
    }

    /// The secret half, as text.
    public var seed: String { Self.text([Self.seedPrefix | kind.rawValue >> 5, (kind.rawValue & 0x1f) << 3] + secret) }

    /// The signature of `message`, 64 bytes.
    func sign(_ message: [UInt8]) -> [UInt8] {
        guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, secret, secret.count), let context = EVP_MD_CTX_new() else {
            preconditionFailure("libcrypto has no memory for a signature")
        }
        defer {
            EVP_MD_CTX_free(context)
            EVP_PKEY_free(key)
        }
        var signature = [UInt8](repeating: 0, count: 64)
        var count = signature.count
        precondition(
            EVP_DigestSignInit(context, nil, nil, nil, key) == 1 && EVP_DigestSign(context, &signature, &count, message, message.count) == 1,
            "Ed25519 signs any message")
        return signature
    }

    private static func text(_ bytes: [UInt8]) -> String {
        let sum = checksum(bytes[...])
        return Base32.encode(bytes + [UInt8(sum & 0xff), UInt8(sum >> 8)])
    }

    /// CRC-16/XMODEM.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        var sum: UInt16 = 0
        for byte in bytes {
            sum ^= UInt16(byte) << 8
            for _ in 0..<8 { sum = sum & 0x8000 == 0 ? sum << 1 : sum << 1 ^ 0x1021 }
        }
        return sum
    }

    public static func == (a: NKey, b: NKey) -> Bool { a.kind == b.kind && a.publicKey == b.publicKey }
}

/// RFC 4648 without padding.
enum Base32 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                text.append(alphabet[Int(bits >> UInt32(count) & 31)])
            }
            bits &= (1 << UInt32(count)) - 1
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(5 - count) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for anything but the alphabet's characters.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text.utf8 {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            bits = bits << 5 | UInt32(value)
            count += 5
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(bits >> UInt32(count) & 0xff))
                bits &= (1 << UInt32(count)) - 1
            }
        }
        return bytes
    }
}
