#!/usr/bin/env python3
"""Records the benchmark's scenarios: real programs and tui.py in a terminal, with the truth beside them.

    record.py [FOLDER] [NAME…]

Writes NAME.cast (asciicast v2), NAME.marks.json (what was true from when) and NAME.samples.jsonl (terminal modes and processes each
200 ms, as a pod's shim reports them). Everything recorded is this project's own or a program of the system (bash, python3).
"""
import fcntl, json, os, pathlib, pty, select, signal, struct, sys, tempfile, termios, time

HERE = pathlib.Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
RC = "PS1='bench$ '\nunset PROMPT_COMMAND HISTFILE\n"

# A step: (seconds to wait before it, keys) or (seconds, ("mark", status)) or (seconds, ("size", columns, rows)).
SHELL = ["bash", "--norc", "--noprofile", "-i"]
SCENARIOS = {
    "shell-command": (SHELL, [(.6, ("mark", "idle")), (1, "sleep 3\r"), (0, ("mark", "executing")), (3, ("mark", "idle")), (1.5, None)]),
    "shell-burn": (SHELL, [(.6, ("mark", "idle")), (1, "echo Building target all:; for i in $(seq 400000); do :; done; sleep 2\r"), (0, ("mark", "executing")),
                           (2.0, ("unsure",)), (2.5, ("mark", "idle")), (1.5, None)]),
    "shell-question": (SHELL, [(.6, ("mark", "idle")), (1, "read -p 'Overwrite it? [y/n] ' x\r"), (0, ("mark", "waiting")), (4, "y\r"), (0, ("mark", "idle")), (1.5, None)]),
    "shell-logs": (SHELL, [(.6, ("mark", "idle")), (1, "for i in 1 2 3 4; do echo 'permission denied 40%'; echo 'Is this correct?'; echo '> Note'; echo '{\"q\": \"Continue? (y/n)\"}'; sleep 1; done\r"),
                           (0, ("mark", "executing")), (4.05, ("mark", "idle")), (1.5, None)]),
    "password": (["python3", "-c", "import getpass; getpass.getpass('The word: ')"], [(.8, ("mark", "waiting")), (3, None)]),
    "line-input": (["python3", "-c", "input('Enter a number [1-3]: ')"], [(.8, ("mark", "waiting")), (4, None)]),
}
for title in (1, 0):
    for columns, rows in ((100, 30), (60, 20), (40, 24)):
        name = f"{columns}x{rows}" + ("" if title else "-untitled")
        tui = ["python3", str(HERE / "tui.py")]
        for kind, keys in {
            "plain": [(1.5, "plain\r"), (5, None)], "approve": [(1.5, "approve\r"), (5, "\r"), (5, None)], "reject": [(1.5, "approve\r"), (5, "\x1b"), (3, None)],
            "ask": [(1.5, "ask\r"), (4, "1"), (5, None)], "bare": [(1.5, "bare\r"), (4, "\r"), (5, None)], "interrupt": [(1.5, "silent\r"), (2.5, "\x1b"), (3, None)],
            "silent": [(1.5, "silent\r"), (8, None)], "lookalike": [(1.5, "lookalike\r"), (9, None)],
            "draft": [(1, k) for k in "please"] + [(2, None)],
            # A person types for most of the time: nothing but idle until the prompt is sent.
            "typing": [(.45, k) for k in "plain words, typed one by one while nothing else happens"] + [(.5, "\r"), (5, None)],
        }.items():
            if (columns == 100 and title) or kind in ("approve", "bare", "lookalike", "plain"):
                SCENARIOS[f"tui-{kind}-{name}"] = (tui, keys, dict(columns=columns, rows=rows, title=title))


def processes(root):
    """The root and its children as /proc tells them."""
    found, parents = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = open(f"/proc/{pid}/stat").read()
        except OSError:
            continue
        comm, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        parents[int(pid)] = int(rest[1])
        found[int(pid)] = {"pid": int(pid), "comm": comm, "state": rest[0], "pgrp": int(rest[2]), "cpu": (int(rest[11]) + int(rest[12])) / TICKS}
    mine = [root]
    for pid in mine:
        mine += [child for child, parent in parents.items() if parent == pid]
    return [found[pid] for pid in mine if pid in found]


def record(folder, name, argv, steps, columns=80, rows=24, title=1):
    truth = tempfile.NamedTemporaryFile("r", suffix=".truth")
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", PS1="bench$ ", LANG="C.UTF-8", TUI_TRUTH=truth.name, TUI_TITLE=str(title), HISTFILE="")
        os.execvp(argv[0], argv)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    start = time.monotonic()
    events, samples, marks = [], [], [{"t": 0.0, "status": "starting"}]
    now = lambda: time.monotonic() - start
    pending, sample_at, steps, due = b"", 0.0, list(steps), None
    while steps:
        if due is None:
            due = now() + steps[0][0]
        if now() >= due:
            what = steps.pop(0)[1]
            due = None
            if isinstance(what, str):
                events.append([round(now(), 6), "i", what])
                os.write(master, what.encode())
            elif what and what[0] == "mark":
                marks.append({"t": round(now(), 6), "status": what[1], "t_lo": round(now() - .1, 6), "t_hi": round(now() + .15, 6)})
            elif what and what[0] == "unsure":
                marks.append({"t": round(now(), 6), "status": "unsure"})
            continue
        if now() >= sample_at:
            sample_at = now() + .2
            try:
                flags = termios.tcgetattr(master)[3]
                samples.append({"t": round(now(), 6), "icanon": bool(flags & termios.ICANON), "echo": bool(flags & termios.ECHO), "isig": bool(flags & termios.ISIG),
                                "fg": os.tcgetpgrp(master), "procs": processes(pid)})
            except OSError:
                pass
        if select.select([master], [], [], .01)[0]:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            pending += data
            text = pending.decode("utf-8", "ignore") if pending[-1] < 0x80 else None
            if text is None:
                try:
                    text = pending.decode()
                except UnicodeDecodeError:
                    continue
            pending = b""
            events.append([round(now(), 6), "o", text])
    end = now()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(master)
    for line in truth.read().splitlines():
        moment, status = line.split()
        marks.append({"t": round(float(moment) - start, 6), "status": status, "t_hi": round(float(moment) - start + .02, 6)})
    marks.sort(key=lambda mark: mark["t"])
    marks.append({"t": round(end, 6), "status": "exited"})
    agent = "shell" if argv is SHELL else "generic"
    base = folder / name
    with open(f"{base}.cast", "w") as out:
        out.write(json.dumps({"version": 2, "width": columns, "height": rows}) + "\n")
        for event in events:
            out.write(json.dumps(event, ensure_ascii=False) + "\n")
    pathlib.Path(f"{base}.marks.json").write_text(json.dumps({"agent": agent, "cols": columns, "rows": rows, "marks": marks}, indent=1) + "\n")
    with open(f"{base}.samples.jsonl", "w") as out:
        for sample in samples:
            out.write(json.dumps(sample) + "\n")
    print(name, len(events), "events", f"{end:.1f} s")


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "scenarios"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (argv, steps, *rest) in SCENARIOS.items():
        if len(sys.argv) <= 2 or name in sys.argv[2:]:
            record(folder, name, argv, steps, **(rest[0] if rest else {}))


if __name__ == "__main__":
    main()
