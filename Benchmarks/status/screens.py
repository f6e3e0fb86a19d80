#!/usr/bin/env python3
"""Draws the screens of screens.jsonl at several widths and scores any command that speaks the script of docs/contract.md, section 8.

    screens.py [--widths 200,100,80,60,40,30] [--only TEXT] [--text] [--fails] -- COMMAND…

Each screen is written as a program writes it, at that width, onto what was said to be another status before; --text gives the rows as text
instead, as who only has a picture of them. COMMAND is run once a screen with `--agent A --cols C --rows R --final` appended.
Tests/Detection/DrawnScreen.swift draws the same.
"""
import base64, collections, concurrent.futures, json, os, re, subprocess, sys

LEAD = re.compile(r"^( *)(?:[❯›>→●○◉▸│] +)?(?:\d+[.)] )?")

def width(text):
    return sum(0 if c in "«»▮\ufe0f" else 2 if ord(c) >= 0x1F300 or c == "✨" else 1 for c in text)

def wrap(row, columns):
    """Between words; what goes on stands below the words above it."""
    if width(row) <= columns or not row.strip(): return [row]
    lead = LEAD.match(row).group(0)
    indent = " " * (columns // 4 if len(lead) > columns // 2 else len(lead))
    rows, line, fresh = [], lead, True
    for word in row[len(lead):].split(" "):
        while width(word) > columns - len(indent):
            room = columns - width(line) - (0 if fresh else 1)
            if room >= 4:
                line += ("" if fresh else " ") + word[:room]
                word = word[room:]
            rows.append(line); line = indent; fresh = True
        if width(line) + (0 if fresh else 1) + width(word) > columns:
            rows.append(line); line = indent; fresh = True
        line += ("" if fresh else " ") + word
        fresh = False
    return rows + [line] if line.strip() else rows

def lay_out(rows, columns):
    out = []
    for row in rows:
        if isinstance(row, str): out += wrap(row, columns)
        elif "rule" in row: begin = row.get("begin", ""); out.append(begin + row["rule"] * (columns - len(begin)))
        elif "box" in row:
            out.append("╭" + "─" * (columns - 2) + "╮")
            out += ["│ " + r + " " * (columns - 4 - width(r)) + " │" for r in lay_out(row["box"], columns - 4)]
            out.append("╰" + "─" * (columns - 2) + "╯")
        elif "bar" in row: out += ["  ┃ " + r for r in lay_out(row["bar"], columns - 4)]
        elif "short" in row: out.append(row["short"] if width(row["short"]) <= columns else row["short"][:columns - 1] + "…")
        elif "cut" in row:
            text = row["cut"].replace("▮", "")
            parts = [text[i:i + columns] for i in range(0, len(text), columns)]
            if "▮" in row["cut"]: parts[-1] += "▮"
            out += parts
        else:
            left, right = row["ends"]
            gap = columns - width(left) - width(right)
            out += [left + " " * gap + right] if gap >= 2 else wrap(left, columns) + wrap(right, columns)
    return out

def written(rows, title):
    text = "\x1b[?1049h" + (f"\x1b]0;{title}\x07" if title else "") + "\x1b[2J"
    cursor = f"\x1b[?25l\x1b[{len(rows) + 1};1H"
    for index, row in enumerate(rows, 1):
        if "▮" in row: cursor = f"\x1b[{index};{width(row[:row.index('▮')]) + 1}H"
        faint = "\x1b[2m" if "»" in row and "«" not in row else ""
        text += f"\x1b[{index};1H" + faint + row.replace("▮", "").replace("«", "\x1b[2m").replace("»", "\x1b[0m") + "\x1b[0m"
    return text + cursor

def ask(screen, columns, as_text, command):
    rows = lay_out(screen["rows"], columns)
    code = lambda text: base64.b64encode(text.encode()).decode()
    if as_text:
        text = re.sub("[«»▮]", "", "\n".join(rows))
        script = [{"at_ms": 0, "feed_b64": code(f"\x1b]0;{screen['title']}\x07")}] if screen.get("title") else []
        script += [{"at_ms": 0, "screen": text}, {"at_ms": 40, "screen": text}, {"at_ms": 250, "tick": True}]
        columns = max(80, max(len(r) for r in text.split("\n")))
    else:
        works = screen["expected"] == "executing"
        script = [{"at_ms": 0, "assume": "idle" if works else "executing"}, {"at_ms": 0, "feed_b64": code(written(rows, screen.get("title")))},
                  {"at_ms": 400 if works else 15000, "tick": True}]
    argv = command + ["--agent", screen["agent"], "--cols", str(columns), "--rows", str(max(24, len(rows) + 1)), "--final"]
    answer = subprocess.run(argv, input="".join(json.dumps(s) + "\n" for s in script), text=True, capture_output=True)
    try: return rows, json.loads(answer.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError): return rows, {"status": "error", "evidence": answer.stderr[:100]}

def main():
    args = sys.argv[1:]
    if "--" not in args: print(__doc__); sys.exit(2)
    command = args[args.index("--") + 1:]; args = args[:args.index("--")]
    option = lambda name, default: args[args.index(name) + 1] if name in args else default
    widths = [int(w) for w in option("--widths", "200,100,80,60,40,30").split(",")]
    file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "screens.jsonl")
    screens = [s for s in map(json.loads, open(file, encoding="utf-8")) if option("--only", "") in s["id"]]
    jobs = [(s, w) for s in screens for w in widths]
    right, wrong, confusion = collections.Counter(), [], collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (screen, columns), (rows, answer) in zip(jobs, pool.map(lambda job: ask(*job, "--text" in args, command), jobs)):
            confusion[screen["expected"], answer["status"]] += 1
            if answer["status"] == screen["expected"]: right[columns] += 1
            else: wrong.append((screen, columns, rows, answer))
    for screen, columns, rows, answer in wrong:
        print(f"{screen['id']} at {columns}: {answer['status']} instead of {screen['expected']}; {answer.get('evidence')}")
        if "--fails" in args: print("\n".join("    " + row for row in rows))
    print(f"{len(screens)} screens, right at " + ", ".join(f"{w}: {right[w]}" for w in widths)
          + f" | waiting missed {sum(n for (e, a), n in confusion.items() if e == 'waiting' != a)}"
          + f", waiting wrongly {sum(n for (e, a), n in confusion.items() if a == 'waiting' != e)}"
          + f", executing called idle {confusion['executing', 'idle']}")

if __name__ == "__main__":
    main()
