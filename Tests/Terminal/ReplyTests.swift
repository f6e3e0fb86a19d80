internal import Terminal
internal import Testing

@Suite("Replies and events")
struct ReplyTests {
    private func reply(_ text: String) -> String { Terminal.fed(text).takeReplyText().split(separator: "\u{1B}", omittingEmptySubsequences: false).joined(separator: "^") }

    @Test(
        "Reports of status, attributes, modes and settings",
        arguments: [
            ("\u{1B}[5n", "^[0n"), ("\u{1B}[3;5H\u{1B}[6n", "^[3;5R"), ("\u{1B}[?6n", "^[?1;1;1R"), ("\u{1B}[?62n", "^[0000*{"), ("\u{1B}[>q", "^P>|switchback(1)^\\"),
            ("\u{1B}[?2026$p", "^[?2026;2$y"), ("\u{1B}[?2026h\u{1B}[?2026$p", "^[?2026;1$y"), ("\u{1B}[?2027$p", "^[?2027;3$y"), ("\u{1B}[?31337$p", "^[?31337;0$y"),
            ("\u{1B}[4$p", "^[4;2$y"),
            ("\u{1B}P$qm\u{1B}\\", "^P1$r0m^\\"), ("\u{1B}[1;31m\u{1B}P$qm\u{1B}\\", "^P1$r0;1;31m^\\"), ("\u{1B}[2;5r\u{1B}P$qr\u{1B}\\", "^P1$r2;5r^\\"),
            ("\u{1B}[5 q\u{1B}P$q q\u{1B}\\", "^P1$r5 q^\\"), ("\u{1B}P$qz\u{1B}\\", "^P0$r^\\"),
            ("\u{1B}[18t", "^[8;10;40t"), ("\u{1B}[?u", "^[?0u"), ("\u{1B}[>5u\u{1B}[?u", "^[?5u"), ("\u{1B}[>5u\u{1B}[>1u\u{1B}[<u\u{1B}[?u", "^[?5u"),
            ("\u{1B}[=6u\u{1B}[=1;2u\u{1B}[=2;3u\u{1B}[?u", "^[?5u"),
            ("\u{1B}]11;?\u{7}", "^]11;rgb:0000/0000/0000\u{7}"), ("\u{1B}]11;#123456\u{7}\u{1B}]11;?\u{1B}\\", "^]11;rgb:1212/3434/5656^\\"),
            ("\u{1B}]4;1;?\u{7}", "^]4;1;rgb:cdcd/0000/0000\u{7}"), ("\u{1B}]4;1;rgb:f/0/8\u{7}\u{1B}]4;1;?\u{7}", "^]4;1;rgb:ffff/0000/8888\u{7}"),
            ("\u{1B}]4;1;#fff\u{7}\u{1B}]104\u{7}\u{1B}]4;1;?\u{7}", "^]4;1;rgb:cdcd/0000/0000\u{7}"),
            ("\u{1B}]2;secret\u{7}\u{1B}[21t", "^]l^\\"), ("\u{1B}]52;c;?\u{7}", ""), ("\u{1B}P+q524742\u{1B}\\", "^P1+r524742=38^\\"),
        ])
    func replies(question: String, answer: String) {
        #expect(reply(question) == answer)
    }

    @Test("Device attributes are those of a VT420 with colours")
    func attributes() {
        #expect(reply("\u{1B}[c").hasPrefix("^[?64;"))
        #expect(reply("\u{1B}[>c").hasPrefix("^[>41;"))
        #expect(reply("\u{1B}[=c").hasPrefix("^P!|"))
    }

    @Test("Titles are set, stacked and cleaned of controls")
    func titles() {
        let terminal = Terminal.fed("\u{1B}]0;first\u{7}\u{1B}[22t\u{1B}]2;second\u{1B}\\")
        #expect(terminal.title == "second")
        terminal.feed("\u{1B}[23t")
        #expect(terminal.title == "first")
        #expect(terminal.takeEvents() == [.title("first"), .title("second"), .title("first")])
        #expect(Terminal.fed("\u{1B}]2;a\u{9}b\u{85}c\u{7}").title == "abc")
    }

    @Test(
        "Bells, notifications, progress, marks and directories are events",
        arguments: [
            ("\u{7}", TerminalEvent.bell), ("\u{1B}]9;done\u{7}", .notification(title: "", body: "done")), ("\u{1B}]777;notify;T;B;c\u{7}", .notification(title: "T", body: "B;c")),
            ("\u{1B}]9;4;1;42\u{7}", .progress(.normal, percent: 42)), ("\u{1B}]9;4;1;999\u{7}", .progress(.normal, percent: 100)),
            ("\u{1B}]9;4;0\u{7}", .progress(.none, percent: nil)), ("\u{1B}]9;4;3\u{7}", .progress(.indeterminate, percent: nil)),
            ("\u{1B}]133;A\u{7}", .mark(.promptStart)), ("\u{1B}]133;B;k=v\u{7}", .mark(.commandStart)), ("\u{1B}]133;C\u{7}", .mark(.outputStart)),
            ("\u{1B}]133;D;127\u{7}", .mark(.commandEnd(exitCode: 127))), ("\u{1B}]133;D\u{7}", .mark(.commandEnd(exitCode: nil))),
            ("\u{1B}]7;file://host/tmp\u{7}", .workingDirectory("file://host/tmp")), ("\u{1B}]52;p;YQ==\u{7}", .clipboard(selection: "p", bytes: 4)),
        ])
    func events(text: String, event: TerminalEvent) {
        let terminal = Terminal.fed(text)
        #expect(terminal.takeEvents() == [event])
        #expect(terminal.takeEvents().isEmpty)
        #expect(terminal.lines == [])
    }

    @Test("Modes a viewer needs are known")
    func modes() {
        let modes = Terminal.fed("\u{1B}[?1;1003;1006;1004;2004h\u{1B}=\u{1B}[>1u").viewerModes
        #expect(modes.applicationCursorKeys && modes.bracketedPaste && modes.focusEvents && modes.applicationKeypad)
        #expect(modes.mouse == .any && modes.mouseEncoding == .sgr && modes.kittyKeyboard == 1)
        #expect(Terminal.fed("\u{1B}[?1003;1006h\u{1B}[?1003;1006l").viewerModes == ViewerModes())
        #expect(Terminal.fed("\u{1B}[?2004h\u{1B}[?2004s\u{1B}[?2004l\u{1B}[?2004r").modes.bracketedPaste)
    }

    @Test("Each screen has kitty flags of its own")
    func kittyPerScreen() {
        let terminal = Terminal.fed("\u{1B}[>1u\u{1B}[?1049h\u{1B}[>7u")
        #expect(terminal.modes.kittyKeyboard == 7)
        terminal.feed("\u{1B}[?1049l")
        #expect(terminal.modes.kittyKeyboard == 1)
    }

    @Test("Flags of the keyboard come and go without a move of the cursor")
    func kittyLeavesTheCursor() {
        let terminal = Terminal.fed("\u{1B}[2;2H\u{1B}[s\u{1B}[5;7H\u{1B}[>1u\u{1B}[=4;2u\u{1B}[?u\u{1B}[<u")
        #expect(terminal.place == [4, 6])
        terminal.feed("\u{1B}[u")
        #expect(terminal.place == [1, 1])
    }

    @Test("Cursor shapes")
    func cursorShapes() {
        let cursor = Terminal.fed("\u{1B}[6 q").cursor
        #expect(cursor.shape == .bar && !cursor.blinks)
        #expect(Terminal.fed("\u{1B}[3 q").cursor.shape == .underline)
        #expect(Terminal.fed("\u{1B}[6 q\u{1B}[0 q").cursor.shape == .block)
        #expect(Terminal.fed("\u{1B}[7 q").cursor.shape == .block)
    }
}
