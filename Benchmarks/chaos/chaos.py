#!/usr/bin/env python3
"""Does to a running local stack whatever people, agents and networks may do, all at once, and looks whether a server dies of it.

    SWITCHBACK_HOME=DIR SWITCHBACK_BIN=.build/release Benchmarks/chaos/chaos.py [--seconds 120] [--seed 1] [--kill]

Starts a stack in SWITCHBACK_HOME (which must not exist) and takes it down afterwards. Pods of all kinds come and go; viewers watch, seek, play, type
and are reset at any moment; requests are made up from the API's own description, right ones and wrong ones; casts are imported that are cut off.
With --kill servers are killed and stopped meanwhile, and start again. In the end no server may have crashed, every chain of hashes must verify, and
a pod that counted must have counted without a gap.
"""
import argparse, atexit, collections, http.client, json, os, random, re, shutil, signal, socket, struct, subprocess, sys, threading, time, urllib.parse

parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=float, default=120)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--kill", action="store_true", help="kill -9 and stop servers meanwhile")
parser.add_argument("--keep", action="store_true", help="leave the folder of the stack")
options = parser.parse_args()

home = os.environ.get("SWITCHBACK_HOME") or sys.exit("SWITCHBACK_HOME names no folder")
binaries = os.path.abspath(os.environ.get("SWITCHBACK_BIN", ".build/release"))
if os.path.exists(home): sys.exit(f"{home} exists; name a folder that does not")
environment = {key: value for key, value in os.environ.items() if not key.startswith("SWITCHBACK_")} | {"SWITCHBACK_HOME": home, "NO_COLOR": "1"}


def switchback(*words, check=True):
    done = subprocess.run([f"{binaries}/switchback", *words], env=environment, capture_output=True, text=True, timeout=180)
    if check and done.returncode: raise RuntimeError(f"switchback {' '.join(words)}: {done.returncode}: {done.stderr.strip()[:500]}")
    return done.stdout


up = json.loads(switchback("up", "--json"))
atexit.register(lambda: os.path.exists(home) and switchback("down", check=False))
address = urllib.parse.urlparse(up["address"])
token = urllib.parse.parse_qs(urllib.parse.urlparse(up["link"]).query)["token"][0]
end = time.time() + options.seconds
counts, problems = collections.Counter(), collections.Counter()
pods, doing, lock = [], {}, threading.Lock()


def request(method, path, body=None, read=1 << 20, headers={}):
    doing[threading.get_ident()] = f"{method} {path} {str(body)[:200]}"
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    try:
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(method, path, data, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        return answer.status, answer.read(read)
    finally:
        connection.close()


def a_pod(r):
    with lock: return r.choice(pods) if pods else "none"


def a_time(r): return r.choice(["now", "-5s", "-1m", "+3s", "+0s", "2026-01-01T00:00:00Z", "+999h", "x", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - r.random() * options.seconds))])


COMMANDS = [
    ["bash", "-c", "for i in $(seq 400); do echo line $i $RANDOM; sleep 0.05; done; exit 3"],
    ["bash", "-c", "head -c 300000 /dev/urandom"],
    ["bash", "-c", "seq 1 60000"],
    ["bash", "-c", "while :; do printf '\\e[2J\\e[H'; for i in $(seq 20); do echo \"$RANDOM $RANDOM\"; done; sleep 0.1; done"],
    ["bash", "-c", "printf '\\e[?1049h\\e[?2026h half'; sleep 5; kill -9 $$"],
    ["bash", "-c", "printf 'Do you want to proceed?\\n> 1. Yes\\n  2. No\\n'; read -r x; echo got $x"],
    ["bash", "-c", "for i in $(seq 3000); do printf '\\e]0;title %s\\a\\e[%s;%sHx\\e[38;5;%sm日本é\\u200d' $i $((i%24)) $((i%80)) $((i%256)); done"],
    ["bash", "--norc"], ["cat"], ["sleep", "3"], ["/nowhere/program"], ["true"],
]


def keep_pods(r):
    if len(pods) < 12 or r.random() < 0.3:
        body = {"command": r.choice(COMMANDS), "name": f"chaos-{r.randrange(10**6)}", "columns": r.choice([80, 1, 200, 33]), "rows": r.choice([24, 1, 60])}
        status, answer = request("POST", "/v1/pods", body)
        counts[f"POST /v1/pods {status}"] += 1
        if status in (200, 201):
            with lock:
                pods.append(json.loads(answer)["pod"])
                if len(pods) > 40: pods.pop(r.randrange(len(pods)))
    if len(pods) > 15:
        request("POST", f"/v1/pods/{a_pod(r)}/stop", {})
    time.sleep(0.3)


def socket_of(path, r):
    made = socket.create_connection((address.hostname, address.port), 20)
    made.sendall((f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
    return made


def frame(payload, opcode):
    mask = b"abcd"
    size = len(payload)
    head = bytes([0x80 | opcode]) + (bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack("!H", size))
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def watch(r):
    pod = a_pod(r)
    mode = r.choice(["view", "view", "raw"])
    made = socket_of(f"/v1/pods/{pod}/terminal?mode={mode}" + r.choice(["", "&rate=3", "&columns=90&rows=30", "&smallest=1&columns=40&rows=10", "&reveal=1", "&scrollback=5000"]), r)
    try:
        stop = time.time() + r.choice([0, 0.01, 0.1, 1, 5])
        if r.random() < 0.5: made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reads = r.random() < 0.9
        while time.time() < stop:
            made.settimeout(r.choice([0.001, 0.01, 0.1]))
            if reads:
                try:
                    if not made.recv(1 << 18): break
                except TimeoutError: pass
            what = r.randrange(9)
            if mode == "raw": message, opcode = r.choice([(b"x", 2), (b'{"resize":[70,20]}', 1), (b'{"take":true}', 1), (b'{"redraw":true}', 1), (b"\r", 2), (os.urandom(30), r.choice([1, 2]))])
            else:
                command = [{"type": "seek", "time": a_time(r)}, {"type": "play", "rate": r.choice([1, -1, 100, -50, 0, 1e9])}, {"type": "pause"}, {"type": "step", "frames": r.choice([1, -1, 50, -9999])},
                           {"type": "live"}, {"type": "keyframe"}, {"type": "timeline"}, {"type": "input", "text": r.choice(["1\r", "x", "exit\r"])}, {"type": r.choice(["take", "resize", "nonsense"]), "columns": 55, "rows": 12}][what]
                message, opcode = json.dumps(command).encode(), 2
                if r.random() < 0.05: message = os.urandom(20)
            made.sendall(frame(message, opcode))
            counts["messages to sockets"] += 1
            time.sleep(r.choice([0, 0.005, 0.05]))
        if r.random() < 0.3: made.sendall(frame(b"\x03\xe8", 8))
    finally:
        made.close()
        counts["sockets"] += 1


document = json.loads(request("GET", "/openapi.json")[1])
operations = [(method.upper(), path, operation) for path, methods in document["paths"].items() for method, operation in methods.items()]
TEXTS = ["", "x", "line", "a b", "é", "日本", "../..", "%00", "-1", "18446744073709551616", "null", "person:local", "pod:x", "(", "[a-z]+", "line \\d+", "2", "*", "-5m", "all"]


def value(schema, r, depth=0):
    if "$ref" in schema: schema = document["components"]["schemas"].get(schema["$ref"].split("/")[-1], {})
    if r.random() < 0.08 or depth > 5: return r.choice([None, 1, "x", [], {}, -1, 1e300, True])
    if "enum" in schema: return r.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object": return {name: value(inner, r, depth + 1) for name, inner in schema.get("properties", {}).items() if name in schema.get("required", []) or r.random() < 0.4}
    if kind == "array": return [value(schema.get("items", {}), r, depth + 1) for _ in range(r.randrange(3))]
    if kind in ("integer", "number"): return r.choice([0, 1, 2, 80, 1000, -1, 2**31])
    if kind == "boolean": return r.random() < 0.5
    return r.choice([a_pod(r), a_time(r), r.choice(TEXTS)])


def ask(r):
    method, path, operation = r.choice(operations)
    name = operation.get("operationId", "")
    if "oken" in name or "ession" in name or name in ("deleteRecording",): return
    query, headers = [], {}
    for parameter in operation.get("parameters", []):
        text = r.choice([a_pod(r), a_time(r), r.choice(TEXTS), str(value(parameter.get("schema", {}), r))])
        if parameter["in"] == "path": path = path.replace("{" + parameter["name"] + "}", urllib.parse.quote(a_pod(r) if r.random() < 0.8 else text or "x", safe=""))
        elif parameter["in"] == "query" and r.random() < 0.5: query.append(parameter["name"] + "=" + urllib.parse.quote("1" if parameter["name"] == "hold" else text, safe=""))
        elif parameter["in"] == "header" and r.random() < 0.2: headers[parameter["name"]] = urllib.parse.quote(text)
    content = operation.get("requestBody", {}).get("content")
    body = json.dumps(value(next(iter(content.values())).get("schema", {}), r)).encode() if content else None
    if body and r.random() < 0.05: body = body[:len(body) // 2]
    # Some leave in the middle of an answer; events never end.
    status, _ = request(method, path + ("?" + "&".join(query) if query else ""), body, read=50 if name == "followEvents" else 1000 if r.random() < 0.2 else 1 << 22, headers=headers)
    counts[f"answers {status // 100}xx"] += 1
    if status >= 500: problems[f"{status} {method} {operation.get('operationId')}"] += 1


def imports(r):
    text = json.dumps({"version": 2, "width": 80, "height": 24}) + "\n"
    at = 0.0
    for _ in range(r.randrange(2000)):
        at += r.random() * r.choice([0.01, 0.1, 5])
        text += json.dumps([at, r.choice("ooooooooooim"), r.choice(["hello\r\n", "\x1b[2J", "日本", "x" * 500])]) + "\n"
    data = text.encode()
    if r.random() < 0.4: data = data[:r.randrange(1, len(data))]
    status, _ = request("POST", "/v1/recordings", data, headers={"Content-Type": "application/x-asciicast"})
    counts[f"imports {status}"] += 1
    time.sleep(1)


def servers():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file: mine = (home + "/").encode() in file.read()
            with open(f"/proc/{pid}/cmdline", "rb") as file: line = file.read().split(b"\0")
        except OSError: continue
        name = os.path.basename(line[0].decode(errors="replace"))
        if (mine or any((home + "/").encode() in word for word in line)) and re.match(r"switchback-(api|relay|recorder|registry|bindings|detector|runner)$|nats-server$|postgres$", name):
            if name != "postgres" or b"-D" in line: found.setdefault(name, int(pid))
    return found


def kills(r):
    time.sleep(r.uniform(2, 6))
    found = servers()
    if not found: return
    name = r.choice(sorted(found))
    try:
        if r.random() < 0.3:
            os.kill(found[name], signal.SIGSTOP)
            time.sleep(r.uniform(0.2, 4))
            os.kill(found[name], signal.SIGCONT)
            counts[f"stopped {name}"] += 1
        else:
            os.kill(found[name], signal.SIGKILL if name != "postgres" or r.random() < 0.5 else signal.SIGINT)
            counts[f"killed {name}"] += 1
    except ProcessLookupError: pass


def loop(work, seed):
    r = random.Random(seed)
    while time.time() < end:
        try: work(r)
        except (OSError, http.client.HTTPException) as error:
            counts[f"{work.__name__}: {type(error).__name__}"] += 1
            if isinstance(error, TimeoutError) and work is not watch: problems[f"no answer within a minute: {doing.get(threading.get_ident(), work.__name__)}"] += 1
            # Whoever reads not at all is closed on; only without kills is a refused connection a fault.
            if isinstance(error, ConnectionRefusedError):
                if not options.kill: problems["connection refused"] += 1
                time.sleep(0.2)
        except Exception as error: problems[f"{work.__name__}: {error!r}"[:200]] += 1


counter = json.loads(switchback("run", "--json", "--name", "counter", "--", "bash", "-c", "i=0; while :; do i=$((i+1)); echo \"count $i.\"; sleep 0.02; done"))["pod"]
work = [keep_pods] + [watch] * 8 + [ask] * 4 + [imports] + ([kills] if options.kill else [])
threads = [threading.Thread(target=loop, args=(job, options.seed * 1000 + i), daemon=True) for i, job in enumerate(work)]
before = servers()
for thread in threads: thread.start()
for thread in threads: thread.join(max(0, end + 90 - time.time()))
stuck = sum(thread.is_alive() for thread in threads)
time.sleep(5)
failures = []
if stuck: failures.append(f"{stuck} callers wait still: {[work[i].__name__ for i, thread in enumerate(threads) if thread.is_alive()]} {doing}")
with open(f"{home}/logs/supervisor.log") as file:
    ends = [line.strip() for line in file if " ended: " in line]
for line in ends:
    if not options.kill or re.search(r"signal (4|5|6|7|8|11)\b", line): failures.append(line)
for name in sorted(os.listdir(f"{home}/logs")):
    with open(f"{home}/logs/{name}", errors="replace") as file: text = file.read()
    for match in re.finditer(r"(Fatal error|Fatal access|\*\*\* Signal|Simultaneous accesses).*", text): failures.append(f"{name}: {match.group(0)[:200]}")
for root, _, files in os.walk(f"{home}/runner"):
    for name in files:
        if not name.endswith(".log"): continue
        with open(os.path.join(root, name), errors="replace") as file:
            for match in re.finditer(r"(Fatal error|Fatal access|\*\*\* Signal).*", file.read()): failures.append(f"{name}: {match.group(0)[:200]}")
switchback("stop", counter, check=False)
deadline = time.time() + 60
while time.time() < deadline and "." not in (text := switchback("export", counter, "--format", "text", check=False)): time.sleep(1)
time.sleep(3)
text = switchback("export", counter, "--format", "text", check=False)
numbers = [int(number) for number in re.findall(r"count (\d+)\.", text)]
if numbers[:1] != [1] and len(numbers) < 1000 or any(b != a + 1 for a, b in zip(numbers, numbers[1:])): failures.append(f"the counter has gaps: {[(a, b) for a, b in zip(numbers, numbers[1:]) if b != a + 1][:5]}")
verified = subprocess.run([f"{binaries}/switchback", "verify"], env=environment, capture_output=True, text=True)
if verified.returncode: failures.append(f"verify: {verified.stdout.strip()[-500:]} {verified.stderr.strip()[:500]}")
for what, count in sorted(counts.items()): print(f"{count:8} {what}")
for what, count in problems.most_common(): print(f"{count:8} PROBLEM {what}")
print(f"the counter reached {numbers[-1] if numbers else 'nothing'}; {verified.stdout.strip().splitlines()[-1:]}")
switchback("down", check=False)
if not options.keep and not failures: shutil.rmtree(home, ignore_errors=True)
for failure in failures: print("FAILED", failure)
sys.exit(1 if failures else 0)
