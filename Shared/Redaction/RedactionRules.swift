/// The classes of characters that secrets are made of.
enum Character7 {
    static let lower: UInt16 = 1
    static let upper: UInt16 = 2
    static let digit: UInt16 = 4
    static let underscore: UInt16 = 8
    static let hyphen: UInt16 = 16
    static let dot: UInt16 = 32
    static let plus: UInt16 = 64
    static let slash: UInt16 = 128
    static let equals: UInt16 = 256
    static let tilde: UInt16 = 512

    static let alphanumeric = lower | upper | digit
    /// Base64 as in URLs.
    static let base64URL = alphanumeric | underscore | hyphen
    static let base64 = alphanumeric | plus | slash | equals

    private static let table: [UInt16] = (0..<128).map { (code: UInt32) -> UInt16 in
        switch code {
        case 0x61...0x7a: lower
        case 0x41...0x5a: upper
        case 0x30...0x39: digit
        case 0x5f: underscore
        case 0x2d: hyphen
        case 0x2e: dot
        case 0x2b: plus
        case 0x2f: slash
        case 0x3d: equals
        case 0x7e: tilde
        default: 0
        }
    }

    @inline(__always)
    static func of(_ scalar: UInt32) -> UInt16 { scalar < 128 ? table[Int(scalar)] : 0 }

    @inline(__always)
    static func isAlphanumeric(_ scalar: UInt32) -> Bool { of(scalar) & alphanumeric != 0 }

    @inline(__always)
    static func lowered(_ scalar: UInt32) -> UInt32 { (0x41...0x5a).contains(scalar) ? scalar | 0x20 : scalar }

    static func isBlank(_ scalar: UInt32) -> Bool { scalar == 0x20 || scalar == 0 || scalar == 0x09 || scalar == 0xa0 }
}

/// A secret that begins in a way of its own.
struct PrefixRule: Sendable {
    let name: String
    let prefix: [UInt32]
    /// What follows is made of these.
    let allowed: UInt16
    /// So many of them, at least and at most.
    let least: Int
    let most: Int
    /// Longer runs are something else.
    let isExact: Bool
    /// Words without one are not secrets.
    let needsDigit: Bool
    /// Nothing else begins like this: one that is not complete yet, as while it is printed, is hidden as well.
    let isDistinct: Bool
    /// From so many characters on, with a digit among them.
    static let leastOfPart = 8

    init(
        _ name: String, _ prefix: String, _ allowed: UInt16, _ least: Int, _ most: Int = 4096, isExact: Bool = false, needsDigit: Bool = false
    ) {
        isDistinct = ["aws", "github", "gitlab", "slack", "stripe", "npm", "switchback"].contains(name) || prefix.hasPrefix("sk-ant") || prefix == "AIza"
        self.name = name
        self.prefix = prefix.unicodeScalars.map(\.value)
        self.allowed = allowed
        self.least = least
        self.most = most
        self.isExact = isExact
        self.needsDigit = needsDigit
    }

    /// Sources: the providers' own descriptions of their tokens, as collected by secret scanners (gitleaks, GitHub secret scanning).
    static let all: [PrefixRule] = {
        let word = Character7.alphanumeric
        let url = Character7.base64URL
        var rules = ["AKIA", "ASIA", "ABIA", "ACCA"].map { PrefixRule("aws", $0, Character7.upper | Character7.digit, 16, 16, isExact: true) }
        rules += ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"].map { PrefixRule("github", $0, word, 36, 255) }
        rules.append(PrefixRule("github", "github_pat_", word | Character7.underscore, 22))
        rules += ["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-", "glagent-", "glft-"].map { PrefixRule("gitlab", $0, url | Character7.dot, 20) }
        rules += ["sk-ant-", "sk-proj-", "sk-svcacct-", "sk-admin-", "sk-or-v1-"].map { PrefixRule("model_provider", $0, url, 16) }
        rules.append(PrefixRule("model_provider", "sk-", url, 24, needsDigit: true))
        rules += ["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxe.xoxp-", "xapp-"].map { PrefixRule("slack", $0, word | Character7.hyphen, 10) }
        rules.append(PrefixRule("slack", "hooks.slack.com/services/", word | Character7.slash, 20))
        rules.append(PrefixRule("google", "AIza", url, 35, 35, isExact: true))
        rules.append(PrefixRule("google", "ya29.", url, 20))
        rules.append(PrefixRule("google", "GOCSPX-", url, 20))
        rules += ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"].map { PrefixRule("stripe", $0, word, 16) }
        rules.append(PrefixRule("npm", "npm_", word, 36, 36, isExact: true))
        rules.append(PrefixRule("pypi", "pypi-", url, 50))
        rules.append(PrefixRule("hugging_face", "hf_", word, 30, 60))
        rules.append(PrefixRule("digitalocean", "dop_v1_", word, 64, 64))
        rules.append(PrefixRule("sendgrid", "SG.", url | Character7.dot, 60))
        rules += ["sbt_", "sbp_"].map { PrefixRule("switchback", $0, word | Character7.underscore, 40) }
        rules.append(PrefixRule("switchback", "sb_", Character7.lower | Character7.digit, 32))
        return rules
    }()

    /// The rules by the first character of their beginnings.
    static let byFirst: [[PrefixRule]] = (0..<128).map { first in all.filter { $0.prefix[0] == UInt32(first) } }
}

/// Names of things that hold secrets, as they stand before `=` or `:`.
enum SecretName {
    enum Kind { case password, secret }

    /// Compared with the end of a name in lower case without `_`, `-` and `.`.
    private static let passwords = ["password", "passwd", "passphrase", "pwd"]
    private static let secrets = [
        "secret", "secretkey", "secretaccesskey", "apikey", "accesskey", "accountkey", "privatekey", "encryptionkey", "signingkey", "token",
        "credential", "credentials", "authorization",
    ]

    static func kind(of name: ArraySlice<UInt32>) -> Kind? {
        guard name.count >= 3 else { return nil }
        let lowered = name.map(Character7.lowered)
        let bare = String(String.UnicodeScalarView(lowered.filter { $0 != 0x5f && $0 != 0x2d && $0 != 0x2e }.compactMap { Unicode.Scalar($0) }))
        if passwords.contains(where: { bare.hasSuffix($0) }) { return .password }
        if bare == "pass" || String(String.UnicodeScalarView(lowered.compactMap { Unicode.Scalar($0) })).hasSuffix("_pass") { return .password }
        return secrets.contains(where: { bare.hasSuffix($0) }) ? .secret : nil
    }

    /// Words that stand where a secret could and are none.
    static let placeholders: Set<String> = [
        "true", "false", "null", "none", "nil", "undefined", "string", "str", "text", "required", "optional", "redacted", "hidden", "unset", "empty",
        "bearer", "basic",
    ]
}
