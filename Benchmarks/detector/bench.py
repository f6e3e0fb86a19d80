#!/usr/bin/env python3
"""How fast and how cheap the detector is with many pods.

Starts a nats-server and a detector (release build), publishes the frames of PODS pods at RATE bytes a second each onto the bus, as their
shims would, and now and then completes a dialog on one of them: the time from publishing the dialog's last byte to the arrival of
`status.<pod>` is what is measured, with the generator, the server and the detector on one machine. Then the load stops and the idle cost is taken.

    Benchmarks/detector/bench.py [--pods 500] [--rate 6000] [--chunks 10] [--seconds 30] [--bin .build/release] [--nats nats-server]

Prints JSON: latency in ms (p50, p95, p99, worst), the detector's share of one core under load and idle.
"""
import argparse, json, os, random, socket, subprocess, sys, tempfile, time

p = argparse.ArgumentParser()
p.add_argument('--pods', type=int, default=500)
p.add_argument('--rate', type=int, default=6000)
p.add_argument('--chunks', type=int, default=10, help='frames a second and pod')
p.add_argument('--seconds', type=float, default=30)
p.add_argument('--idle', type=float, default=5)
p.add_argument('--bin', default='.build/release')
p.add_argument('--nats', default=os.environ.get('NATS_SERVER', 'nats-server'))
a = p.parse_args()
root = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))


def fnv1a(text):
    h = 14695981039346656037
    for b in text.encode():
        h = ((h ^ b) * 1099511628211) & (2**64 - 1)
    return h


class Nats:
    def __init__(self, port):
        self.s = socket.create_connection(('127.0.0.1', port))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b''
        self.send(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"name":"bench"}\r\nPING\r\n')
        while b'PONG' not in self.buffer:
            self.buffer += self.s.recv(65536)
        self.buffer = b''
        self.s.setblocking(False)

    def send(self, data):
        view = memoryview(data)
        while view:
            try:
                view = view[self.s.send(view):]
            except BlockingIOError:
                time.sleep(0.0005)

    def messages(self):
        """(subject, payload) of everything that has arrived."""
        try:
            while True:
                part = self.s.recv(1 << 20)
                if not part:
                    break
                self.buffer += part
        except BlockingIOError:
            pass
        while b'\r\n' in self.buffer:
            line, rest = self.buffer.split(b'\r\n', 1)
            if line.startswith(b'MSG '):
                words = line.split()
                size = int(words[-1])
                if len(rest) < size + 2:
                    return
                yield words[1].decode(), rest[:size]
                self.buffer = rest[size + 2:]
            elif line.startswith(b'PING'):
                self.buffer = rest
                self.send(b'PONG\r\n')
            else:
                self.buffer = rest


def frame(pod, kind, payload):
    pod['seq'] += 1
    header = b'NATS/1.0\r\nNats-Msg-Id: %s.%d\r\nSb-Time: %d\r\n\r\n' % (pod['id'].encode(), pod['seq'], time.time_ns() // 1000)
    return b'HPUB pty.%s.%s.%s %d %d\r\n%s%s\r\n' % (pod['shard'].encode(), pod['id'].encode(), kind, len(header), len(header) + len(payload), header, payload)


SPIN = '✢✳∗✶✻✽'
WORDS = 'the build of every part goes on while nobody looks and the tests are read from their end'.split()


def busy(pod, size):
    """What an agent draws while it works: a spinner row, a line of the transcript, the title now and then."""
    pod['turn'] += 1
    n = pod['turn']
    text = ''
    if n % 10 == 1:
        text += '\x1b]0;%s Build it\x07' % '◐◑'[n // 10 % 2]
    text += '\x1b[?2026h\x1b[%d;1H\x1b[2K%s Working… (%ds · ↓ %d tokens)' % (19, SPIN[n % 6], n // 10, n * 3)
    row = 2 + n % 15
    while len(text.encode()) < size - 12:
        text += '\x1b[%d;1H\x1b[2K\x1b[38;5;%dm%s\x1b[0m' % (row, 30 + n % 200, ' '.join(random.choice(WORDS) for _ in range(8))[:78])
        row = 2 + (row - 1) % 15
    return (text + '\x1b[?2026l').encode()


FRAME = '\x1b[2J\x1b[H\x1b[20;1H' + '─' * 100 + '\x1b[21;1H❯\u00a0\x1b[22;1H' + '─' * 100 + '\x1b[23;1H  ⏸ manual mode on · esc to interrupt\x1b[21;3H'
DIALOG = ('\x1b]0;✳ Build it\x07\x1b[?2026h\x1b[18;1H\x1b[J\x1b[18;1H' + '─' * 100 + '\x1b[19;1H Bash command\x1b[21;3H make -j all'
          '\x1b[23;1H Do you want to proceed?\x1b[24;1H ❯ 1. Yes\x1b[25;1H   2. Yes, and don’t ask again for make commands\x1b[26;1H   3. No'
          '\x1b[28;1H Esc to cancel · Tab to amend\x1b[?2026l').encode()
CLOSE = ('\x1b]0;◐ Build it\x07\x1b[18;1H\x1b[J' + FRAME[10:]).encode()


def cpu(pid):
    fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


with tempfile.TemporaryDirectory() as work:
    port = 14000 + os.getpid() % 20000
    nats = subprocess.Popen([a.nats, '-p', str(port), '-a', '127.0.0.1', '-js', '-sd', work + '/js'], stderr=open(work + '/nats.log', 'w'))
    detector = None
    try:
        for _ in range(100):
            try:
                bus = Nats(port)
                break
            except OSError:
                time.sleep(0.05)
        environment = dict(os.environ, SWITCHBACK_NATS_URL=f'nats://127.0.0.1:{port}', SWITCHBACK_HTTP='127.0.0.1:0', SWITCHBACK_INSTANCE='bench',
                           SWITCHBACK_AGENTS=root + '/Agents')
        log = open(work + '/detector.log', 'w+')
        detector = subprocess.Popen([os.path.join(a.bin, 'switchback-detector')], env=environment, stdout=log, stderr=log)
        for _ in range(200):
            if '"message":"ready"' in open(work + '/detector.log').read():
                break
            time.sleep(0.05)
        else:
            sys.exit('the detector is not ready: ' + open(work + '/detector.log').read())
        bus.send(b'SUB status.* 1\r\nSUB bench.echo 2\r\n')
        random.seed(7)
        pods = []
        for _ in range(a.pods):
            name = 'p' + ''.join(random.choice('abcdefghijklmnopqrstuvwxyz234567') for _ in range(12))
            pods.append(dict(id=name, shard='%02d' % (fnv1a(name) % 64), seq=0, turn=0, state='busy', at=0))
        by_id = {pod['id']: pod for pod in pods}
        start = json.dumps(dict(kind='start', argv=['claude'], agent='claude', columns=100, rows=30)).encode()
        bus.send(b''.join(frame(pod, b'ctl', start) + frame(pod, b'out', FRAME.encode()) for pod in pods))
        time.sleep(2)
        size = a.rate // a.chunks
        begin, used, sent, late = time.monotonic(), cpu(detector.pid), 0, []
        took, missed, frames, wrong = [], 0, 0, 0
        # What a message to itself takes at the same moments: the bus, the machine and this program.
        floor, echoes = [], []
        slots = a.pods * a.chunks
        next_dialog = begin + 3
        while (now := time.monotonic()) < begin + a.seconds:
            due = int((now - begin) * slots)
            out = []
            while frames < due:
                pod = pods[frames % a.pods]
                frames += 1
                if pod['state'] == 'busy':
                    out.append(frame(pod, b'out', busy(pod, size)))
                elif now - pod['at'] > 1.5:
                    if pod['state'] == 'asking':
                        missed += 1
                    out.append(frame(pod, b'out', CLOSE))
                    pod['state'] = 'busy'
            if out:
                bus.send(b''.join(out))
                late.append(time.monotonic() - now)
            if now >= next_dialog and now < begin + a.seconds - 2:
                next_dialog = now + 0.05
                free = [pod for pod in pods if pod['state'] == 'busy']
                if free:
                    pod = random.choice(free)
                    pod['state'] = 'asking'
                    data = frame(pod, b'out', DIALOG)
                    pod['at'] = time.monotonic()
                    bus.send(data + b'PUB bench.echo 0\r\n\r\n')
                    echoes.append(pod['at'])
            for subject, payload in bus.messages():
                if subject == 'bench.echo':
                    floor.append((time.monotonic() - echoes.pop(0)) * 1000)
                    continue
                pod = by_id.get(subject[7:])
                status = json.loads(payload)['status']
                if pod and pod['state'] == 'asking' and status == 'waiting':
                    took.append((time.monotonic() - pod['at']) * 1000)
                    pod['state'] = 'asked'
                elif pod and pod['state'] == 'busy' and status == 'waiting':
                    wrong += 1
            time.sleep(0.0003)
        load = (cpu(detector.pid) - used) / (time.monotonic() - begin)
        time.sleep(6)
        used, begin = cpu(detector.pid), time.monotonic()
        time.sleep(a.idle)
        idle = (cpu(detector.pid) - used) / (time.monotonic() - begin)
        memory = int(next(line for line in open(f'/proc/{detector.pid}/status') if line.startswith('VmRSS')).split()[1])
        took.sort()
        floor.sort()
        at = lambda q: round(took[min(len(took) - 1, int(len(took) * q))], 2) if took else None
        late.sort()
        print(json.dumps(dict(pods=a.pods, bytes_per_second=a.rate, frames_per_second=slots, dialogs=len(took), missed=missed, wrong=wrong, p50_ms=at(.5),
                              p95_ms=at(.95), p99_ms=at(.99), worst_ms=at(1), floor_p50_ms=round(floor[len(floor) // 2], 2), floor_p99_ms=round(floor[int(len(floor) * .99)], 2),
                              cpu_load=round(load, 3), cpu_idle=round(idle, 4), resident_kb=memory,
                              generator_p99_ms=round(late[int(len(late) * .99)] * 1000, 2))))
    finally:
        for process in (detector, nats):
            if process:
                process.terminate()
                process.wait()
