import Terminal
import TestSupport
import Testing

@testable import Redaction

private let secret = "ghp_" + String((0..<36).map { Array("aB3dE5fG7hJ9")[$0 % 12] })

@Suite("Secrets on screens")
struct ScreenRedactionTests {
    private func terminal(_ columns: Int, _ rows: Int, _ output: String) -> Terminal {
        let terminal = Terminal(columns: columns, rows: rows, scrollback: 1000)
        terminal.feed(output)
        return terminal
    }

    private func image(_ delta: ScreenDelta) -> [String] { delta.changed.map { $0.runs.map(\.text).joined() } }

    @Test("are covered across wrapped lines at every width, colours within or not, and the layout stays", arguments: 8...60)
    func wrapped(columns: Int) {
        for output in ["token is \(secret) ok", "token is \(secret.prefix(9))\u{1b}[31m\(secret.dropFirst(9))\u{1b}[0m ok"] {
            let plain = terminal(columns, 8, output)
            let before = plain.text()
            let shown = ScreenRedaction(plain, .standard).screen(plain)
            #expect(!image(shown).joined().contains(where: { "B3E5G7J9".contains($0) }))
            #expect(image(shown).joined().filter { $0 == "•" }.count == secret.count)
            #expect(zip(before, image(shown)).allSatisfy { $0.count == $1.count || $1.count >= $0.count })
            let covered = terminal(columns, 8, output)
            Redactor.standard.cover(covered)
            #expect(ScreenRedaction(plain, .standard).texts(plain) == covered.text())
            #expect(!String(decoding: covered.ansi(), as: UTF8.self).contains(secret.suffix(6)))
            let again = Terminal(columns: columns, rows: 8)
            again.feed(covered.ansi())
            #expect(again.text() == covered.text())
        }
    }

    @Test("are covered in history, behind an alternate screen, in titles and in links")
    func elsewhere() {
        let away = terminal(20, 4, "a \(secret) b\r\n1\r\n2\r\n3\r\n4\r\n")
        #expect(!Redactor.standard.history(of: away, lines: 100).joined().contains("B3dE5"))
        #expect(away.history(lines: 100).joined().contains("B3dE5"))
        let behind = terminal(80, 4, "a \(secret) b\u{1b}[?1049hfront")
        Redactor.standard.cover(behind)
        #expect(!String(decoding: behind.ansi(), as: UTF8.self).contains(secret))
        behind.feed("\u{1b}[?1049l")
        #expect(behind.rowText(0) == "a " + String(repeating: "•", count: 40) + " b")
        let titled = terminal(80, 4, "\u{1b}]2;\(secret)\u{7}\u{1b}]8;;https://x.example/?t=\(secret)\u{1b}\\here\u{1b}]8;;\u{1b}\\")
        let shown = ScreenRedaction(titled, .standard).screen(titled)
        #expect(shown.title == String(repeating: "•", count: 40))
        #expect(shown.changed[0].runs.allSatisfy { $0.link == nil })
        Redactor.standard.cover(titled)
        #expect(!String(decoding: titled.ansi(), as: UTF8.self).contains(secret))
    }

    @Test("stay covered in every change that a viewer gets, however the secret comes and goes")
    func deltas() {
        let scripts = [
            "one\r\n" + secret.map(String.init).joined() + "\r\nmore\r\n", "\(secret.prefix(20))\r\n\u{1b}[A\u{1b}[20C\(secret.dropFirst(20))",
            "\u{1b}[2J\u{1b}[H" + secret + "\u{1b}[1;10Hx", (0..<30).map { "line \($0) \($0 % 7 == 3 ? secret : "")\r\n" }.joined(), "password=hunter2 \u{8}\u{8}3",
        ]
        for columns in [16, 41, 60] {
            let live = Terminal(columns: columns, rows: 6, scrollback: 100)
            var viewer = ScreenImage()
            viewer.apply(ScreenRedaction(live, .standard).screen(live))
            _ = live.takeDelta(force: true)
            for script in scripts {
                var bytes = Array(script.utf8)[...]
                while !bytes.isEmpty {
                    live.feed(Array(bytes.prefix(7)))
                    bytes = bytes.dropFirst(7)
                    guard let delta = live.takeDelta(force: true) else { continue }
                    let redaction = ScreenRedaction(live, .standard)
                    viewer.apply(redaction.delta(delta, of: live))
                    let whole = ScreenImage()
                    var now = whole
                    now.apply(redaction.screen(live))
                    // What the viewer holds hides at least what is to be hidden now.
                    for (mine, wanted) in zip(viewer.rows, now.rows) {
                        let (a, b) = (mine.map(\.text).joined(), wanted.map(\.text).joined())
                        #expect(zip(a.unicodeScalars, b.unicodeScalars).allSatisfy { $1 != "•" || $0 == "•" }, "\(a) instead of \(b)")
                    }
                }
            }
        }
    }

    @Test("are found by one who follows changes as by one who looks at the whole")
    func follows() {
        // Other runs at every time; a failure names its own.
        let begin = UInt64.random(in: 0..<1 << 40)
        for seed in begin..<begin + 400 {
            var random = SplitMix(state: seed)
            let live = Terminal(columns: 30, rows: 6, scrollback: 100)
            _ = live.takeChangedRows()
            var texts = ScreenRedaction(live, .standard).texts(live)
            var fed = ""
            for _ in 0..<30 {
                let piece = [secret, "words and more words ", "\r\n", "\u{1b}[H", "\u{1b}[3;5H", "password=", "x", "日本"].randomElement(using: &random) ?? ""
                live.feed(piece)
                fed += piece
                let changes = live.takeChangedRows()
                texts.removeFirst(min(changes.scrollCount, texts.count))
                while texts.count < 6 { texts.append("") }
                for (row, text) in ScreenRedaction.texts(of: changes.rows, scrolled: changes.scrollCount > 0, in: live, .standard) { texts[row] = text }
                let wanted = ScreenRedaction(live, .standard).texts(live)
                let isHidden = zip(texts, wanted).allSatisfy { zip($0.unicodeScalars, $1.unicodeScalars).allSatisfy { $1 != "•" || $0 == "•" } }
                #expect(isHidden, "seed \(seed): after \(fed.debugDescription): \(texts) instead of \(wanted); changed \(changes)")
                if !isHidden { break }
            }
        }
    }

    @Test("cover wide characters whole")
    func wide() {
        let plain = terminal(40, 2, "password=日本語七 ok")
        #expect(image(ScreenRedaction(plain, .standard).screen(plain))[0] == "password=•••••••• ok")
        Redactor.standard.cover(plain)
        #expect(plain.rowText(0) == "password=•••••••• ok")
    }

    @Test("cost little: a screen of 160 by 40 is looked at in far less than a second")
    func cost() {
        let busy = terminal(
            160, 40,
            (0..<60).map { "\($0) func render(_ token: Token, password: String) -> [UInt8] { return a[\($0)] ?? b.c(d: \"e=\($0)\") } // https://x.example/\($0)" }.joined(
                separator: "\r\n"))
        _ = ScreenRedaction(busy, .standard)
        let began = ContinuousClock.now
        for _ in 0..<10 { _ = ScreenRedaction(busy, .standard).isEmpty }
        let each = (ContinuousClock.now - began) / 10
        print("a screen of 160x40 is looked at in \(each)")
        #expect(each < .seconds(1))
    }
}

@Suite("Secrets in streams")
struct StreamRedactorTests {
    private func all(_ text: String, pieces: [Int]) -> String {
        var stream = StreamRedactor(.standard)
        var bytes = Array(text.utf8)[...]
        var out: [UInt8] = []
        var index = 0
        while !bytes.isEmpty {
            let size = pieces[index % pieces.count]
            out += stream.feed(bytes.prefix(size))
            bytes = bytes.dropFirst(size)
            index += 1
        }
        out += stream.flush()
        return String(decoding: out, as: UTF8.self)
    }

    @Test("are hidden however the bytes come, and everything else passes byte for byte", arguments: [[1], [2], [3], [5, 1], [7], [64], [4096]])
    func pieces(sizes: [Int]) {
        let marks = String(repeating: "•", count: 40)
        #expect(all("a \(secret) b\r\n", pieces: sizes) == "a \(marks) b\r\n")
        #expect(all("\(secret.prefix(7))\u{1b}[1m\(secret.dropFirst(7))\u{1b}[0m\r\n", pieces: sizes).filter { $0 == "•" }.count == 40)
        #expect(all("export PASSWORD=hunter2\nls\n", pieces: sizes) == "export PASSWORD=•••••••\nls\n")
        #expect(all("\u{1b}]2;\(secret)\u{7}x", pieces: sizes) == "\u{1b}]2;\(marks)\u{7}x")
        let key = "-----BEGIN PRIVATE KEY-----\r\n" + String(repeating: "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\r\n", count: 3) + "-----END PRIVATE KEY-----\r\nafter\r\n"
        let hidden = all(key, pieces: sizes)
        #expect(!hidden.contains("MIIE") && hidden.contains("-----END PRIVATE KEY-----\r\nafter\r\n"))
        let plain = "héllo \u{1b}[31mred\u{1b}[0m 日本 \u{1b}[2J\u{1b}[3;4H\t\u{7}\u{1b}]0;t\u{1b}\\\u{1b}(B\r\nsk-8 2af6cbf0a1b2c3d4e5f60718293a4b5c6d7e8f90 \u{1F600}\n"
        #expect(all(plain, pieces: sizes) == plain)
    }

    @Test("are hidden as far as possible when somebody cannot wait")
    func flushed() {
        var stream = StreamRedactor(.standard)
        var out = stream.feed(Array("key \(secret.prefix(10))".utf8))
        #expect(String(decoding: out, as: UTF8.self) == "key ")
        #expect(stream.isHolding)
        out += stream.flush()
        out += stream.feed(Array((secret.dropFirst(10) + " end\n").utf8)) + stream.flush()
        #expect(String(decoding: out, as: UTF8.self) == "key " + String(repeating: "•", count: 40) + " end\n")
        #expect(stream.takeCounts()["github"] ?? 0 >= 1)
        #expect(stream.takeCounts().isEmpty)
    }

    @Test("never change the number of characters, nor anything that is not printed")
    func property() {
        var random = SystemRandomNumberGenerator()
        let parts = [secret, "password=", "abc ", "\u{1b}[1m", "\u{1b}[H", "\r\n", "é", "\u{1b}]2;", "\u{7}", "-----BEGIN RSA PRIVATE KEY-----", "\u{1b}", "[", "日"]
        for _ in 0..<300 {
            let text = (0..<Int.random(in: 0..<20, using: &random)).map { _ in parts.randomElement(using: &random) ?? "" }.joined()
            let whole = all(text, pieces: [4096])
            #expect(all(text, pieces: [4096, 1]).unicodeScalars.count == text.unicodeScalars.count)
            #expect(whole.unicodeScalars.count == text.unicodeScalars.count)
            #expect(zip(whole.unicodeScalars, text.unicodeScalars).allSatisfy { $0 == $1 || $0 == "•" && $1.value >= 0x20 })
        }
    }

    @Test("are hidden in the strings of JSON, which stays JSON")
    func json() {
        let json = #"{"a":"x \#(secret) y","b":"password=hunter2\"z","c":[1,"q\n\#(secret)"],"token":"kept-as-is"}"#
        let hidden = String(decoding: Redactor.standard.redacted(json: Array(json.utf8)), as: UTF8.self)
        let marks = String(repeating: "•", count: 40)
        #expect(hidden == #"{"a":"x \#(marks) y","b":"password=•••••••\"z","c":[1,"q\n\#(marks)"],"token":"kept-as-is"}"#)
        #expect(
            Redactor.standard.redacted(command: ["mysql", "--password", "hunter2", "--user", "x", "-e", "a=\(secret)"]) == [
                "mysql", "--password", "•••••••", "--user", "x", "-e", "a=" + marks,
            ])
        for broken in ["\"", "\"abc\\", "{\"abcdefgh", ""] { #expect(Redactor.standard.redacted(json: Array(broken.utf8)) == Array(broken.utf8)) }
    }
}
