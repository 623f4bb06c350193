"""Row 4: from an accepted event to its visible effect, and how late exits come, under 100,000
events a second with 100 live segments.

Probe users of their own send single events that lie up to 59 s in the past, so that each enters a
segment with a window of 60 s at once and leaves it 1 to 2 s later; a WebSocket for each user tells
both. One thread handles all, when the kernel says that something has arrived; what it costs itself
is contained in the figures and is measured beside them: pings that the server's HTTP loop answers
with pongs over the same sockets (there and back, its own time twice). Server and client read the
same clock."""
import base64
import datetime
import heapq
import itertools
import json
import random
import selectors
import socket
import time

import definitions
import machine
from figure import Figure, less_is_better
from programs import Load, Measured, build
from websocket import PONG, TEXT, WebSocket

RATE = 100_000
USERS = 1_000_003
CONNECTIONS = 64
PROBE_COUNT, PROBE_COUNT_QUICK = 100, 50
SECONDS, SECONDS_QUICK = 30, 8
WARM_UP_SECONDS = 2
WINDOW_MS = 60_000
LEFT_MS = (1_000, 2_000)  # from an event's acceptance to its exit, at random
PING_SECONDS = 0.5
SEED = 20261121
SEGMENT = {"name": "probed", "expression": {"event": "Probe Sent", "aggregate": "count",
                                            "within": "60s", "op": "gte", "value": 1}}


def _epoch_ms(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e3


def _timestamp(epoch_ms):
    seconds, ms = divmod(epoch_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ms:03}Z"


class Times:
    """All in milliseconds."""

    def __init__(self):
        self.answer, self.visible, self.whole, self.late, self.ping = [], [], [], [], []


class Probe:
    """A user who comes and goes: POST → 200 → entered → exited → POST. 200 and entered may come
    in either order, since neither waits for the other."""

    def __init__(self, server, key, number, times, random_source):
        self.user, self.times, self.random = f"probe-{number}", times, random_source
        self.messages = (f"{self.user}-{i}" for i in itertools.count())
        host, port = server.address.rsplit(":", 1)
        self.post_head = (f"POST /v1/track HTTP/1.1\r\nHost: {server.address}\r\n"
                          "Content-Type: application/json\r\nAuthorization: Basic "
                          + base64.b64encode(f"{key}:".encode()).decode())
        self.http = socket.create_connection((host, int(port)))
        self.http.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.http.setblocking(False)
        self.websocket = WebSocket(server.address, f"/ws/users/{self.user}/segments", server.token)
        self.sent = self.answered = self.entered = self.pinged = None

    def post(self):
        past_ms = WINDOW_MS - self.random.randint(*LEFT_MS)
        body = json.dumps({"userId": self.user, "event": "Probe Sent",
                           "messageId": next(self.messages),
                           "timestamp": _timestamp(time.time_ns() // 1_000_000 - past_ms)})
        self.answered = self.entered = None
        self.sent = time.perf_counter()
        self.http.send(f"{self.post_head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    def on_http(self):
        now, answer = time.perf_counter(), self.http.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200 ") or b"rejected" in answer:
            raise ConnectionError(f"a probe was refused: {answer!r}")
        self.answered = now
        self._note()

    def ping(self):
        if self.pinged is None:
            self.pinged = time.perf_counter()
            self.websocket.ping()

    def on_websocket(self):
        """True: the user has left, the next event can come."""
        now, wall_ms, left = time.perf_counter(), time.time() * 1e3, False
        for kind, payload in self.websocket.frames():
            if kind == PONG:
                self.times.ping.append((now - self.pinged) * 1e3)
                self.pinged = None
            elif kind == TEXT and "change" in (message := json.loads(payload)):
                if message["change"] == "entered":
                    self.entered = now
                    self._note()
                else:
                    self.times.late.append(wall_ms - _epoch_ms(message["at"]))
                    left = True
        return left

    def _note(self):
        if self.answered is None or self.entered is None:
            return
        self.times.answer.append((self.answered - self.sent) * 1e3)
        self.times.visible.append(max(self.entered - self.answered, 0) * 1e3)
        self.times.whole.append((self.entered - self.sent) * 1e3)

    def close(self):
        self.http.close()
        self.websocket.close()


def _make_probes(server, count, times):
    key, random_source = server.make_key(), random.Random(SEED)
    client = server.client()
    for number in range(count):  # the WebSocket wants a known user
        client.expect(200, "POST", "/v1/identify", {"userId": f"probe-{number}"}, key=key)
    server.wait_applied()
    client.close()
    return [Probe(server, key, number, times, random_source) for number in range(count)]


def _watch(probes, seconds):
    """Lets the probes come and go."""
    selector = selectors.DefaultSelector()
    for probe in probes:
        selector.register(probe.http, selectors.EVENT_READ, (probe, False))
        selector.register(probe.websocket, selectors.EVENT_READ, (probe, True))
    began = time.perf_counter()
    due = [(began + i / len(probes), i, "post") for i in range(len(probes))]
    due += [(began + i * PING_SECONDS / len(probes), i, "ping") for i in range(len(probes))]
    heapq.heapify(due)
    order = {id(probe): i for i, probe in enumerate(probes)}
    while (now := time.perf_counter()) < began + seconds:
        while due and due[0][0] <= now:
            at, i, what = heapq.heappop(due)
            getattr(probes[i], what)()
            if what == "ping":
                heapq.heappush(due, (at + PING_SECONDS, i, what))
        for ready, _ in selector.select(max(due[0][0] - time.perf_counter(), 0)):
            probe, is_websocket = ready.data
            if not is_websocket:
                probe.on_http()
            elif probe.on_websocket():
                heapq.heappush(due, (now + probe.random.random() * 0.1, order[id(probe)], "post"))
    selector.close()


def _share(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def _figures(name, values, goal, baseline, note=""):
    return [Figure("4", f"{name}, p50", _share(values, 0.5), "ms", None, "", note),
            Figure("4", f"{name}, p99", _share(values, 0.99), "ms", goal, baseline,
                   f"worst {max(values):.1f} ms of {len(values):,}")]


def measure(facts, quick=False):
    (load_program,) = build("load")
    seconds = SECONDS_QUICK if quick else SECONDS
    times = Times()
    with Measured() as server:
        server.make_segments(definitions.segments() + [SEGMENT])
        probes = _make_probes(server, PROBE_COUNT_QUICK if quick else PROBE_COUNT, times)
        cpu_before_s, others = machine.cpu_s(server.pid), machine.Others()
        with Load(load_program, server.address, server.make_key(), mode="batch", rate=RATE,
                  connections=CONNECTIONS, seconds=seconds + WARM_UP_SECONDS + 1,
                  users=USERS) as load:
            time.sleep(WARM_UP_SECONDS)
            _watch(probes, seconds)
            result = load.result()
        used_s = machine.cpu_s(server.pid) - cpu_before_s + result["cpu_s"]
        others_share = others.share(used_s)
        for probe in probes:
            probe.close()
    goal = less_is_better(100, " ms")
    beside = (f"ping and pong over the same WebSockets: p50 {_share(times.ping, 0.5):.1f} ms, "
              f"p99 {_share(times.ping, 0.99):.1f} ms")
    return [
        Figure("4", "background load", result["events_per_s"], "events/s", None, "",
               f"{seconds} s; 100 a request, p50 {result['p50_us'] / 1e3:.1f} ms, "
               f"p99 {result['p99_us'] / 1e3:.1f} ms; server "
               f"{used_s / result['seconds']:.2f} cores with the load generator, "
               f"others and the probes {others_share:.0%} of all"),
        Figure("4", "errors", result["errors"], "", less_is_better(0), "", ""),
        *_figures("200 → membership visible", times.visible, goal, beside),
        *_figures("POST sent → membership visible", times.whole, None, "",
                  f"POST sent → 200: p50 {_share(times.answer, 0.5):.1f} ms, "
                  f"p99 {_share(times.answer, 0.99):.1f} ms"),
        *_figures("exit after its instant", times.late, goal, beside),
    ]
