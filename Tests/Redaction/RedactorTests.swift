import Contract
import Testing

@testable import Redaction

/// Secrets are put together here, so that nobody's scanner takes this file for a leak.
private func made(_ prefix: String, _ count: Int, _ alphabet: String = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYz") -> String {
    let letters = Array(alphabet)
    return prefix + String((0..<count).map { letters[($0 * 7 + count) % letters.count] })
}

@Suite("What is taken for a secret")
struct RedactorTests {
    private func hidden(_ text: String) -> String { Redactor.standard.redacted(text) }

    static let secrets: [(name: String, secret: String)] = [
        ("aws", made("AKIA", 16, "ABCDEFGH234567")), ("aws", made("ASIA", 16, "ABCDEFGH234567")), ("github", made("ghp_", 36)),
        ("github", made("gho_", 36)), ("github", made("ghs_", 36)), ("github", made("github_pat_", 82)), ("gitlab", made("glpat-", 20)),
        ("model_provider", made("sk-", 48)), ("model_provider", made("sk-proj-", 100)), ("model_provider", made("sk-ant-api03-", 93)),
        ("slack", made("xoxb-", 50)), ("slack", made("xoxp-", 70)), ("google", made("AIza", 35)), ("google", made("ya29.", 60)),
        ("stripe", made("sk_live_", 24)), ("stripe", made("rk_live_", 24)), ("npm", made("npm_", 36)), ("pypi", made("pypi-", 120)),
        ("hugging_face", made("hf_", 34)), ("switchback", "sbt_t" + made("", 12, "abcdefg") + "_" + made("", 64, "0123456789abcdef")),
        ("switchback", "sbp_p" + made("", 12, "abcdefg") + "_" + made("", 48, "0123456789abcdef")),
        ("switchback", made("sb_", 48, "0123456789abcdef")),
        ("json_web_token", made("eyJ", 33) + "." + made("eyJ", 60) + "." + made("", 43)),
    ]

    @Test("finds keys and tokens of providers wherever they stand, whole, and nothing beside them", arguments: secrets)
    func providers(name: String, secret: String) {
        let marks = String(repeating: "•", count: secret.count)
        for (before, after) in [("", ""), ("key is ", " ok"), ("(", ")"), ("\"", "\","), ("│ ", " │"), ("https://x.example/?k=", "&b=1"), ("export A='", "'")] {
            #expect(hidden(before + secret + after) == before + marks + after)
        }
        #expect(Redactor.standard.redactions(in: secret.unicodeScalars.map(\.value)).map(\.rule) == [name])
        // In the middle of something longer it is something else.
        #expect(hidden("x" + secret).hasPrefix("x" + secret.prefix(3)) || name == "json_web_token")
    }

    @Test(
        "hides what is assigned to names of secrets, and keeps the name",
        arguments: [
            ("password=hunter2", "password=•••••••"), ("PASSWORD=correcthorse", "PASSWORD=••••••••••••"),
            ("DB_PASSWORD=\"p w\\\"d7\"", "DB_PASSWORD=\"•••••••\""), ("mysql --password=abcd -u x", "mysql --password=•••• -u x"),
            ("psql --password s3cr3t! db", "psql --password ••••••• db"), ("\"api_key\": \"0123456789abcdefXYZ\"", "\"api_key\": \"•••••••••••••••••••\""),
            ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_SECRET_ACCESS_KEY=••••••••••••••••••••••••••••••••••••••••"),
            ("client-secret: 8f7d6e5c4b3a", "client-secret: ••••••••••••"), ("token = 'abcdefgh12345678'", "token = '••••••••••••••••'"),
            ("Authorization: Basic dXNlcjpwYXNzdzByZA==", "Authorization: Basic ••••••••••••••••••••"),
            ("Authorization: Bearer abcdefghij0123456789", "Authorization: Bearer ••••••••••••••••••••"),
            ("curl -H 'bearer ABCDEFGHIJ.0123456789'", "curl -H 'bearer •••••••••••••••••••••'"),
            ("postgres://app:s3cr3t@db:5432/x", "postgres://app:••••••@db:5432/x"), ("https://u:p%40ss@host/", "https://u:••••••@host/"),
            ("passphrase: tr0ub4dor&3", "passphrase: •••••••••&3"), ("curl -u x --token abcdefgh12345", "curl -u x --token •••••••••••••"),
        ])
    func assignments(text: String, expected: String) {
        #expect(hidden(text) == expected)
    }

    @Test(
        "leaves alone what only looks like one",
        arguments: [
            "commit 2af6cbf0a1b2c3d4e5f60718293a4b5c6d7e8f90", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "id: 550e8400-e29b-41d4-a716-446655440000", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg==",
            "//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbXX0=",
            "max_tokens=4096", "total tokens: 128394", "token: string", "password: string;", "let password = getPassword()", "if token == other { }",
            "password = os.environ[\"DB_PASSWORD\"]", "API_KEY=$API_KEY", "API_KEY=${API_KEY}", "password: <your password>", "Password:", "Enter password: ",
            "secret: true", "PWD=/home/somebody/work", "OLDPWD=/tmp/x1", "token: https://example.org/tokens/1", "fn token(&self) -> Token", "a sk-8 b",
            "class=\"sk-fading-circle sk-circle-dot\"", "npm_config_registry=x", "const tokenizer = new Tokenizer2()", "password=****", "password=••••••",
            "hf_hub_download(repo)", "AKIA is a prefix", "see github_pat_ docs", "12:34:56 error: secretary1 not found", "module::token::Parser2",
            "https://example.org:8080/path@2", "git@github.com:owner/repo.git", "ssh://git@github.com:22/owner/repo", "x => token2", "private_key: ./keys/server1.pem",
            "ghp_short", "bearer authentication-is-required-here", "Task #12345678901234567890", "-----BEGIN PUBLIC KEY-----", "AIzaTooShort",
        ])
    func lookAlikes(text: String) {
        #expect(hidden(text) == text)
    }

    @Test("finds a secret that goes on in the next line, however it is cut")
    func wrapped() {
        let secret = Self.secrets[2].secret
        let line = Array(("echo " + secret + " done").unicodeScalars.map(\.value))
        for columns in [7, 10, 13, 20, 39, 44] {
            let rows = stride(from: 0, to: line.count, by: columns).map { Array(line[$0..<min($0 + columns, line.count)]) }
            let found = Redactor.standard.redactions(in: rows) { _ in true }
            let text = zip(rows, found).map { Redactor.text($0, without: $1) }.joined()
            #expect(text == "echo " + String(repeating: "•", count: secret.count) + " done", "\(columns)")
        }
        let apart = Redactor.standard.redactions(in: [Array(line[..<15]), Array(line[15...])]) { _ in false }
        #expect(apart == [[], []])
    }

    @Test("hides the body of a private key, also without its beginning or its end, and nothing after it")
    func privateKeys() {
        let body = (0..<5).map { made("", 64 - $0 % 2) }
        let block = ["-----BEGIN OPENSSH PRIVATE KEY-----"] + body + ["abc=", "-----END OPENSSH PRIVATE KEY-----"]
        let marks = body.map { String(repeating: "•", count: $0.count) } + ["••••"]
        func lines(_ text: [String]) -> [String] { hidden(text.joined(separator: "\n")).split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
        #expect(lines(["$ cat key"] + block + ["$ ls"]) == ["$ cat key", block[0]] + marks + [block[7], "$ ls"])
        #expect(Array(lines(Array(block.dropFirst(2)) + ["after"]).prefix(5)) == Array(marks.dropFirst()))
        #expect(lines(Array(block.dropFirst(2)) + ["after"]).last == "after")
        let cut = lines(Array(block.dropLast(2)) + ["", "The next command prints a long line of many words", "and another one"])
        #expect(Array(cut[1...5]) == Array(marks.dropLast()) && cut.suffix(2) == ["The next command prints a long line of many words", "and another one"])
        // Public keys and certificates are public.
        let certificate = ["-----BEGIN CERTIFICATE-----"] + body + ["-----END CERTIFICATE-----"]
        #expect(lines(certificate) == certificate)
        let oneLine = "\"-----BEGIN PRIVATE KEY-----\\n" + body[0] + "\\n-----END PRIVATE KEY-----\\n\""
        #expect(!hidden(oneLine).contains(body[0]) && hidden(oneLine).contains("-----BEGIN PRIVATE KEY-----"))
    }

    @Test("hides what the user's own patterns find, the longest from the left, all of them")
    func own() throws {
        let redactor = try Redactor(lines: "# ours\nacme acme-[0-9]+\ncard \\b[0-9]{4} [0-9]{4}\n")
        #expect(redactor.redacted("a acme-12345 b acme-7, 1234 5678") == "a •••••••••• b ••••••, •••••••••")
        #expect(redactor.redacted("acme- 123 4567") == "acme- 123 4567")
        #expect(redactor.redacted("password=hunter2") == "password=•••••••")
        let long = String(repeating: "x", count: 3000) + "acme-1"
        #expect(redactor.redacted(long) == String(repeating: "•", count: 3006))
        for bad in ["x* x*", "a (", "a/b x", "alone"] {
            let text = bad == "x* x*" ? "x x*" : bad
            #expect(throws: ErrorBody.self) { try Redactor(lines: text) }
        }
    }

    @Test("takes no more time for hostile lines and patterns than a multiple of their length")
    func bounded() throws {
        let redactor = try Redactor(patterns: [("evil", "(a+)+b")])
        let began = ContinuousClock.now
        _ = redactor.redacted(String(repeating: "a", count: 1900))
        _ = redactor.redacted(String(repeating: "=", count: 100_000))
        _ = redactor.redacted(String(repeating: "token=", count: 20_000))
        _ = redactor.redacted(String(repeating: "eyJaaaaaaaa.", count: 10_000))
        _ = redactor.redacted(String(repeating: "a://b:c", count: 10_000))
        _ = redactor.redacted(String(repeating: "-----BEGIN ", count: 10_000))
        #expect(ContinuousClock.now - began < .seconds(60))
    }

    @Test("changes no number of scalars, whatever the text")
    func width() {
        var random = SystemRandomNumberGenerator()
        let pieces = Self.secrets.map(\.secret) + ["password=", "\"", "'", " ", "\u{1F600}", "é", "日本", "--token ", "://u:", "@", "-----BEGIN RSA PRIVATE KEY-----", "\\", "\n"]
        for _ in 0..<300 {
            let text = (0..<Int.random(in: 0..<12, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            let hidden = hidden(text)
            #expect(hidden.unicodeScalars.count == text.unicodeScalars.count)
            #expect(self.hidden(hidden).unicodeScalars.count == text.unicodeScalars.count)
        }
    }
}
