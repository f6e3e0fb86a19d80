#!/usr/bin/env python3
"""A small agent-like program for the benchmark: a composer between rules, a turning row, streamed text, dialogs.

It owns the screen as agents do (raw terminal, alternate screen, synchronized updates) and writes what it really does, with times,
to the file TUI_TRUTH names. TUI_TITLE=0 leaves the terminal's title alone. What is typed and sent decides what happens:
`plain`, `approve`, `ask`, `silent`, `lookalike`, `bare` (options without numbers); Esc interrupts a turn or leaves a dialog.
"""
import fcntl, os, select, struct, sys, termios, time, tty

GLYPHS = "✢✳✶✻✽"
TEXT = ("The parser reads one byte at a time and keeps a small state. When a sequence ends it is dispatched to the screen. "
        "Cursor motion is clamped to the margins. ").split()
LOOKALIKE = ["The installer prints this when it runs; it is only an example:", "", "Do you want to proceed?", "❯ 1. Yes", "  2. No", "",
             "Enter to confirm · Esc to cancel", "", "Continue? [y/n]", "Password:", "", "That was all of it."]
DIALOGS = {
    "approve": ["Shell command", "", "  rm -rf build", "", "Do you want to run it?", "❯ 1. Yes", "  2. Yes, and do not ask again for rm", "  3. No", "",
                "Enter to choose · Esc to cancel"],
    "ask": ["☐ Language", "", "Which language shall the page have?", "", "❯ 1. English", "  2. German", "  3. Type something", "",
            "Enter to choose · ↑/↓ to move · Esc to cancel"],
    "bare": ["Open this folder?", "", "❯ No, leave", "  Yes, open it", "", "Enter to confirm · Esc to cancel"],
}


class Program:
    def __init__(self):
        self.truth = open(os.environ["TUI_TRUTH"], "a", buffering=1)
        self.titles = os.environ.get("TUI_TITLE", "1") != "0"
        self.said, self.draft, self.row, self.dialog = [], "", None, None
        self.title = None

    def mark(self, status):
        self.truth.write(f"{time.monotonic():.6f} {status}\n")

    def size(self):
        rows, columns = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))[:2]
        return columns or 80, rows or 24

    def wrap(self, line, columns):
        out, rest = [], line
        while len(rest) > columns:
            cut = rest.rfind(" ", 1, columns + 1)
            if cut <= 0:
                cut = columns
            out.append(rest[:cut])
            rest = "  " + rest[cut:].lstrip()
        return out + [rest]

    def set_title(self, title):
        if self.titles and title != self.title:
            self.title = title
            os.write(1, f"\x1b]0;{title}\x07".encode())

    def paint(self):
        columns, rows = self.size()
        rule = "─" * columns
        if self.dialog:
            bottom = [rule] + [part for line in self.dialog for part in self.wrap(line, columns)]
        else:
            bottom = [self.row or "", "", rule, "❯ " + self.draft, rule, "  ? for help" if not self.row else "  esc to interrupt"]
        body = [part for line in self.said for part in self.wrap(line, columns)]
        room = max(0, rows - len(bottom))
        lines = (body[-room:] if room else []) + [""] * max(0, room - len(body)) + bottom
        out = "\x1b[?2026h\x1b[H" + "\r\n".join(line[:columns] + "\x1b[K" for line in lines[:rows])
        if not self.dialog:
            out += f"\x1b[{rows - 2};{3 + len(self.draft)}H"
        os.write(1, (out + "\x1b[?2026l").encode())

    def keys(self, seconds):
        return os.read(0, 1024) if select.select([0], [], [], seconds)[0] else b""

    def turn(self, kind):
        self.mark("executing")
        start, step = time.monotonic(), 0
        words = iter(TEXT * 3)
        lines = iter(LOOKALIKE)
        self.said.append("")
        while True:
            age = time.monotonic() - start
            self.row = f"{GLYPHS[step % 5]} Reticulating… ({int(age)}s · ↓ {step} tokens)"
            self.set_title("◐◑"[step // 8 % 2] + " a task")
            step += 1
            if kind == "lookalike" and step % 3 == 0:
                line = next(lines, None)
                if line is None:
                    break
                self.said.append("  " + line)
            elif kind != "silent" and kind != "lookalike":
                self.said[-1] += next(words, "") + " "
            self.paint()
            if kind in DIALOGS and age > 1.0 and not self.answer(kind):
                self.mark("idle")
                break
            if kind in DIALOGS and age > 1.0:
                kind = "plain"
                start = time.monotonic() - 1
            if b"\x1b" == self.keys(0.12):
                self.said.append("  Interrupted")
                break
            if age > (5 if kind == "silent" else 3) and kind != "lookalike":
                break
        self.row = None
        self.said.append("")
        self.mark("idle")
        self.set_title("✳ a task")
        self.paint()

    def answer(self, kind):
        """A dialog until it is answered; whether it was taken."""
        self.dialog, row = DIALOGS[kind], self.row
        self.row = None
        self.mark("waiting")
        self.set_title("✳ a task")
        self.paint()
        while True:
            key = self.keys(1.0)
            if key in (b"\r", b"1", b"\x1b"):
                break
            self.paint()
        self.dialog, self.row = None, row
        if key != b"\x1b":
            self.mark("executing")
        return key != b"\x1b"

    def run(self):
        old = termios.tcgetattr(0)
        tty.setraw(0)
        os.write(1, b"\x1b[?1049h\x1b[2J\x1b[?2004h")
        try:
            self.set_title("✳ agent")
            self.paint()
            self.mark("idle")
            while True:
                key = self.keys(10)
                if key in (b"\x04", b"\x03"):
                    break
                for byte in key.decode(errors="replace"):
                    if byte == "\r":
                        kind, self.draft = self.draft, ""
                        self.said += ["❯ " + kind, ""]
                        self.turn(kind.strip())
                    elif byte == "\x7f":
                        self.draft = self.draft[:-1]
                    elif byte >= " ":
                        self.draft += byte
                self.paint()
        finally:
            os.write(1, b"\x1b[?2004l\x1b[?1049l")
            termios.tcsetattr(0, termios.TCSADRAIN, old)


if __name__ == "__main__":
    Program().run()
