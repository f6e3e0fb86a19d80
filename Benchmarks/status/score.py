#!/usr/bin/env python3
"""Scores `switchback inspect status` on recordings with known truth: by class, latency, flaps.

    score.py [--folder DIR] [--agent NAME] [--without title,termios,process,input,colour,paste] [--each] -- COMMAND…

For each recording COMMAND gets the script (docs/contract.md, section 8) and answers its transitions. Counted over time, in each status of
the truth except what is marked unsure and the 250 ms after a change:
  right      the share of time with the true status       recall / precision   of each status, over time
  missed     waiting spells never reported                latency              from the true start of waiting to its report
  flaps      transitions beyond the truth's
`--without` takes channels away, to see what each is worth.
"""
import base64, collections, json, pathlib, re, statistics, subprocess, sys

STATUSES = ("executing", "waiting", "idle")
GRACE = 250.0


def strip(data, without):
    if "title" in without:
        data = re.sub(rb"\x1b\][02];[^\x07\x1b]*(?:\x07|\x1b\\)", b"", data)
    if "colour" in without:
        data = re.sub(rb"\x1b\[[0-9;:]*m", b"", data)
    if "paste" in without:
        data = re.sub(rb"\x1b\[\?2004[hl]", b"", data)
    return data


def script(cast, without):
    lines = []
    for text in cast.read_text(encoding="utf-8").splitlines()[1:]:
        moment, kind, data = json.loads(text)[:3]
        if kind == "o":
            lines.append((moment * 1000, {"feed_b64": base64.b64encode(strip(data.encode(), without)).decode()}))
        elif kind == "i" and "input" not in without:
            lines.append((moment * 1000, {"input_b64": base64.b64encode(data.encode()).decode()}))
        elif kind == "r":
            lines.append((moment * 1000, {"resize": [int(side) for side in data.split("x")]}))
    samples = cast.with_suffix(".samples.jsonl")
    if samples.exists():
        for text in samples.read_text().splitlines():
            sample = json.loads(text)
            moment = sample.pop("t") * 1000
            if "termios" in without:
                for key in ("icanon", "echo", "isig"):
                    sample.pop(key, None)
            if "process" in without:
                for key in ("fg", "procs", "shell"):
                    sample.pop(key, None)
            lines.append((moment, {"process": sample}))
    end = max((moment for moment, _ in lines), default=0)
    lines += [(tick, {"tick": True}) for tick in range(0, int(end) + 500, 50)]
    lines.sort(key=lambda line: line[0])
    return "".join(json.dumps({"at_ms": round(moment, 3), **what}) + "\n" for moment, what in lines), end


def measure(cast, command, agent, without):
    meta = json.loads(cast.with_suffix(".marks.json").read_text())
    text, _ = script(cast, without)
    argv = command + ["--agent", agent or meta["agent"], "--cols", str(meta["cols"]), "--rows", str(meta["rows"])]
    answer = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=120)
    if answer.returncode:
        sys.exit(f"{cast.name}: {answer.stderr.strip()}")
    said = [(line["at_ms"], line["status"]) for line in map(json.loads, answer.stdout.splitlines()) if "status" in line]
    spells = []
    marks = meta["marks"]
    for mark, following in zip(marks, marks[1:]):
        begin, end = mark.get("t_hi", mark["t"]) * 1000, following.get("t_lo", following["t"]) * 1000
        if spells and spells[-1][0] == mark["status"]:
            spells[-1][2] = end
        else:
            spells.append([mark["status"], begin, end, mark["t"] * 1000])
    table, latencies, missed = collections.Counter(), [], 0
    for status, begin, end, exact in (spell for spell in spells if spell[0] in STATUSES):
        at = begin + GRACE
        edges = [at] + [moment for moment, _ in said if at < moment < end] + [end]
        for left, right in zip(edges, edges[1:]):
            if right > left:
                held = next((what for moment, what in reversed(said) if moment <= left), "unknown")
                table[status, held] += right - left
        if status == "waiting":
            first = next((moment for moment, what in said if what == "waiting" and exact - 300 <= moment < end), None)
            held = next((what for moment, what in reversed(said) if moment <= begin), "unknown")
            if first is None:
                missed += held != "waiting"
            else:
                latencies.append(max(0.0, first - exact))
    changes = sum(1 for index, (_, what) in enumerate(said) if index == 0 or said[index - 1][1] != what)
    wanted = sum(spell[0] in STATUSES for spell in spells)
    return dict(name=cast.stem, table=table, latencies=latencies, missed=missed, flaps=max(0, changes - wanted), spells=wanted)


def tell(name, results):
    table = sum((result["table"] for result in results), collections.Counter())
    total = sum(table.values()) or 1
    right = sum(time for (truth, held), time in table.items() if truth == held)
    parts = []
    for status in STATUSES:
        true = sum(time for (truth, _), time in table.items() if truth == status)
        held = sum(time for (_, said), time in table.items() if said == status)
        if true:
            parts.append(f"{status} {table[status, status] / true:.3f}/{table[status, status] / held if held else 0:.3f}")
    latencies = sorted(latency for result in results for latency in result["latencies"])
    print(f"{name}: {len(results)} recordings, {total / 1000:.0f} s, right {right / total:.4f} | recall/precision {' '.join(parts)} | missed "
          f"{sum(result['missed'] for result in results)}, flaps {sum(result['flaps'] for result in results)}"
          + (f", latency {statistics.median(latencies):.0f} ms (worst {latencies[-1]:.0f})" if latencies else ""))


def main():
    if "--" not in sys.argv:
        sys.exit(__doc__)
    at = sys.argv.index("--")
    options, command = sys.argv[1:at], sys.argv[at + 1:]
    value = lambda name, other: options[options.index(name) + 1] if name in options else other
    folder = pathlib.Path(value("--folder", str(pathlib.Path(__file__).parent / "scenarios")))
    without = set(filter(None, value("--without", "").split(",")))
    results = [measure(cast, command, value("--agent", None), without) for cast in sorted(folder.rglob("*.cast")) if cast.with_suffix(".marks.json").exists()]
    if "--each" in options:
        for result in results:
            tell("  " + result["name"], [result])
    for group in sorted({result["name"].split("-")[0] for result in results}):
        tell(group, [result for result in results if result["name"].split("-")[0] == group])
    tell("all" + (f" without {', '.join(sorted(without))}" if without else ""), results)


if __name__ == "__main__":
    main()
