"""Runs `sonnim serve` for tests and talks to it: every server listens on a free port of 127.0.0.1,
lives in a directory of its own and is ended with the test, whatever happens."""
import atexit
import base64
import http.client
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SONNIM = os.environ.get("SONNIM", str(ROOT / "build" / "sonnim"))

# For what hangs: a wait that succeeds costs what it takes, also where everything is slow.
READY_SECONDS_MAX = 300
STOP_SECONDS_MAX = 300
ANSWER_SECONDS_MAX = 300
LIVE_SECONDS_MAX = 300
SANITIZER = re.compile(rb"ERROR: AddressSanitizer|WARNING: ThreadSanitizer|: runtime error: "
                       rb"|ERROR: LeakSanitizer")

_running = set()  # servers
_directories = set()


@atexit.register
def _end_all():
    for server in list(_running):
        server.kill()
    for path in _directories:
        shutil.rmtree(path, ignore_errors=True)


def _terminated(number, _frame):
    sys.exit(128 + number)


signal.signal(signal.SIGTERM, _terminated)


def temporary_directory():
    path = tempfile.mkdtemp(prefix="sonnim-test-")
    _directories.add(path)
    return pathlib.Path(path)


def remove_directory(path):
    shutil.rmtree(path, ignore_errors=True)
    _directories.discard(str(path))


def copy_directory(source, target):
    """What a running or killed server leaves, but for its sockets: they are no data. A running one
    may take files away meanwhile."""
    def copy(file, place):
        try:
            shutil.copy2(file, place)
        except FileNotFoundError:
            pass
    shutil.copytree(source, target, dirs_exist_ok=True, copy_function=copy,
                    ignore=shutil.ignore_patterns("*.sock"))


def contents(place):
    """Each file below it with what is in it, while a server may write, rename and remove them."""
    for file in sorted(pathlib.Path(place).rglob("*")):
        try:
            if file.is_file():
                yield file, file.read_bytes()
        except FileNotFoundError:
            pass


def free_port():
    """One that stays free while nobody listens there: the kernel gives none below 32,768 to
    connections and to who does not mind which."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]

    @property
    def field(self):
        return self.json["error"]["details"].get("field")

    @property
    def position(self):
        return self.headers.get("X-Sonnim-Position")

    def __repr__(self):
        return f"{self.status} {self.body[:2000].decode('utf-8', 'replace')}"


def is_question(method, path):
    """Whether it changes nothing."""
    return method == "GET" or path.endswith(("/calculate", "/overlap", "/preview"))


class Refused(Exception):
    """An answer that the test did not expect."""


class Client:
    """One keep-alive connection; belongs to one thread."""

    def __init__(self, address, token=None, timeout=ANSWER_SECONDS_MAX, tls=None):
        self.address = address
        self.tls = tls  # an ssl.SSLContext; None: plain HTTP
        self.token = token
        self.timeout = timeout
        self.connection = None
        self.position = None  # of the last thing that it wrote

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def request(self, method, path, body=None, headers=None, key=None):
        """`body`: bytes as they are, anything else as JSON. `key`: Basic instead of the token.
        A connection that the server closed while it was idle is opened anew; one that ends amidst
        a request once for GET only. A question that the server could not answer in its 5 seconds,
        since it has not applied yet what the answer must hold, is asked again."""
        all_headers = {"Content-Type": "application/json"}
        if key is not None:
            all_headers["Authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        elif self.token is not None:
            all_headers["Authorization"] = f"Bearer {self.token}"
        all_headers.update(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            answer = self._ask(method, path, body, all_headers)
            if answer.status != 503 or not is_question(method, path) or \
                    b'"TIMEOUT"' not in answer.body or time.monotonic() > deadline:
                break
        if method != "GET" and answer.position is not None:
            self.position = answer.position
        return answer

    def _ask(self, method, path, body, all_headers):
        fresh = self.connection is None
        try:
            return self._exchange(method, path, body, all_headers)
        except (http.client.HTTPException, OSError):
            self.close()
            if fresh or method != "GET":
                raise
            return self._exchange(method, path, body, all_headers)

    def _is_closed(self):
        """Between requests there is nothing to read but the end."""
        if self.connection.sock is None:
            return False
        poll = select.poll()  # select() knows 1,024 descriptors
        poll.register(self.connection.sock, select.POLLIN)
        return bool(poll.poll(0))

    def _exchange(self, method, path, body, headers):
        if self.connection is not None and self._is_closed():
            self.close()
        if self.connection is None:
            host, port = self.address.rsplit(":", 1)
            if self.tls is None:
                self.connection = http.client.HTTPConnection(host, int(port), timeout=self.timeout)
            else:
                self.connection = http.client.HTTPSConnection(
                    host, int(port), timeout=self.timeout, context=self.tls)
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.will_close:
            self.close()
        return Answer(answer.status, answer.headers, data)

    def expect(self, status, method, path, body=None, headers=None, key=None):
        answer = self.request(method, path, body, headers, key)
        if answer.status != status:
            raise Refused(f"{method} {path}: expected {status}, got {answer!r}")
        return answer

    def get(self, path, **rest):
        return self.expect(200, "GET", path, **rest).json

    def items(self, path, limit=1000, **rest):
        """All items of a list, page by page."""
        items, cursor = [], None
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit={limit}"
                            + (f"&cursor={cursor}" if cursor else ""), **rest)
            items.extend(page["items"])
            cursor = page["next"]
            if cursor is None:
                return items

    def set_clock(self, now_ms):
        return self.expect(200, "POST", "/api/v1/clock", {"now": now_ms})

    def wait_live(self, segment, version=None, seconds=LIVE_SECONDS_MAX):
        """The segment once its newest version (or `version`) answers."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.get(f"/api/v1/segments/{segment}")
            if found["state"] == "Live" and found["liveVersion"] == (version or found["version"]):
                return found
            if found["state"] == "Failed" or time.monotonic() > deadline:
                raise Refused(f"not Live: {found}")
            time.sleep(0.002)


class Server:
    """`sonnim serve` in a directory of its own, or in that of an earlier one."""

    def __init__(self, *flags, directory=None, clock="manual", address="127.0.0.1:0"):
        self.owned = directory is None
        self.directory = directory or temporary_directory()
        self.flags = list(flags)
        self.clock = clock
        self.listen = address
        self.address = None
        self.process = None
        self.write_key = None
        self.tls = None  # what its clients use

    @property
    def data(self):
        return self.directory / "data"

    @property
    def log_file(self):
        return self.directory / "server.log"

    @property
    def token(self):
        return (self.directory / "token").read_text().strip()

    def command(self):
        place = self.directory
        return [SONNIM, "serve", "--listen", self.listen, "--data", str(self.data),
                "--keyring", str(place / "keyring"), "--clock", self.clock,
                "--admin-token-file", str(place / "token"),
                "--address-file", str(place / "address"), *self.flags]

    def spawn(self, **popen):
        """Starts the process without waiting for it."""
        (self.directory / "address").unlink(missing_ok=True)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, **popen)
        _running.add(self)

    def start(self, **popen):
        self.spawn(**popen)
        self.wait_ready()
        return self

    def wait_ready(self):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            if self.process.poll() is not None:
                _running.discard(self)
                raise Refused(f"ended with {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise Refused(f"not ready:\n{self.log_tail()}")
            if self._is_ready():
                return
            time.sleep(0.005)

    def _is_ready(self):
        try:
            self.address = (self.directory / "address").read_text().strip()
            if not self.address:
                return False
            client = Client(self.address, tls=self.tls)
            answer = client.request("GET", "/health/ready")
            client.close()
            return answer.status == 200
        except (OSError, http.client.HTTPException):
            return False

    def client(self, token=None):
        return Client(self.address, token or self.token, tls=self.tls)

    def make_key(self):
        """A source's write key, the same one after a restart."""
        if self.write_key is None:
            client = self.client()
            answer = client.expect(201, "POST", "/api/v1/sources", {"name": "test"})
            client.close()
            self.write_key = answer.json["writeKey"]
        return self.write_key

    def stop(self):
        """SIGTERM; it must end with 0."""
        self._end(signal.SIGTERM)
        if self.process.returncode != 0:
            raise Refused(f"SIGTERM: ended with {self.process.returncode}:\n{self.log_tail()}")
        self.check_log()

    def check_log(self):
        """No sanitizer has reported, of this process or one before it."""
        if SANITIZER.search(self.log_file.read_bytes()):
            raise Refused(f"a sanitizer reported:\n{self.log_tail(400)}")

    def kill(self):
        """kill -9."""
        if self.process is not None:
            self._end(signal.SIGKILL)

    def _end(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        _running.discard(self)

    def wait_end(self, seconds=READY_SECONDS_MAX):
        """The exit code of a process that ends by itself."""
        code = self.process.wait(seconds)
        _running.discard(self)
        return code

    def log_tail(self, lines=30):
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, _value, _traceback):
        try:
            if self.process.poll() is None and kind is None:
                self.stop()
            self.kill()
            if kind is None:
                self.check_log()
        finally:
            if self.owned:
                remove_directory(self.directory)
