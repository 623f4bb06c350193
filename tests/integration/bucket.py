"""A bucket for tests: s3rver behind a proxy that checks each request's signature by itself (AWS
Signature Version 4, as its documentation says), counts, and fails on demand."""
import hashlib
import hmac
import http.client
import http.server
import pathlib
import socket
import subprocess
import threading
import time
import urllib.parse

from server import free_port, remove_directory, temporary_directory

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS_MAX = 300
KEY_ID, SECRET, REGION = "S3RVER", "S3RVER", "ap-northeast-2"


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _signature(handler, signed, scope, body_hash):
    """What the request's signature must be."""
    path, _, query = handler.path.partition("?")
    headers = "".join(f"{name}:{' '.join(handler.headers[name].split())}\n" for name in signed)
    pairs = sorted(pair if "=" in pair else pair + "=" for pair in query.split("&") if pair)
    request = "\n".join([handler.command, path, "&".join(pairs), headers, ";".join(signed),
                         body_hash])
    text = "\n".join(["AWS4-HMAC-SHA256", handler.headers["x-amz-date"], "/".join(scope),
                      hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in scope:
        key = _hmac(key, part)
    return _hmac(key, text).hex()


def is_signed(handler, body):
    """Whether the credentials are ours, and the signature is of this very request."""
    kind, _, rest = handler.headers.get("Authorization", "").partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    credential = parts.get("Credential", "").split("/")
    body_hash = hashlib.sha256(body).hexdigest()
    signed = parts.get("SignedHeaders", "").split(";")
    if kind != "AWS4-HMAC-SHA256" or len(credential) != 5 or credential[0] != KEY_ID or \
            credential[2:] != [REGION, "s3", "aws4_request"] or \
            handler.headers.get("x-amz-content-sha256") != body_hash or \
            not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(signed) or \
            any(name not in handler.headers for name in signed):
        return False
    return hmac.compare_digest(parts["Signature"],
                               _signature(handler, signed, credential[1:], body_hash))


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            if name.lower() in ("etag", "content-type"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _serve(self):
        bucket = self.server.bucket
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        bucket.requests.append((self.command, self.path, len(body)))
        if bucket.failing is not None:
            self._answer(bucket.failing, b"<Error><Code>SlowDown</Code></Error>")
            return
        if not is_signed(self, body):
            self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
            return
        completes = self.command == "POST" and "uploadId=" in self.path
        time.sleep(bucket.delay_s)
        if "partNumber=" in self.path:
            bucket.takes_parts.wait()
        upstream = http.client.HTTPConnection("127.0.0.1", bucket.upstream_port, timeout=300)
        upstream.request(self.command, self.path, body,
                         {name: value for name, value in self.headers.items()
                          if name.lower() not in ("expect", "connection")})
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        if completes:
            bucket.completed.set()
            bucket.tells_completion.wait()
        self._answer(answer.status, data, answer.getheaders())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def log_message(self, *_):
        pass


class _Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Whoever sends may be killed meanwhile."""


class Bucket:
    """`endpoint` is where it is; `failing` an HTTP status that it answers everything with. It takes
    parts while `takes_parts` is set, and tells that an upload is completed, which `completed` says,
    while `tells_completion` is."""

    def __init__(self, name="audiences"):
        self.name, self.requests, self.failing, self.delay_s = name, [], None, 0
        self.takes_parts, self.tells_completion = threading.Event(), threading.Event()
        self.takes_parts.set()
        self.tells_completion.set()
        self.completed = threading.Event()
        self.directory = temporary_directory()
        self.upstream_port = free_port()
        self.process = subprocess.Popen(
            [str(HERE.parents[1] / "script" / "node"),
             str(HERE / "node_modules" / "s3rver" / "bin" / "s3rver.js"), "--silent", "-d",
             str(self.directory), "-a", "127.0.0.1", "-p", str(self.upstream_port),
             "--configure-bucket", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()
        self.proxy = _Proxy(("127.0.0.1", 0), _Handler)
        self.proxy.bucket = self
        threading.Thread(target=self.proxy.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.proxy.server_port}"

    def _wait(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.upstream_port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def object(self, key):
        """The bytes of an object; None: there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream_port, timeout=300)
        connection.request("GET", f"/{self.name}/{urllib.parse.quote(key)}")
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return body if answer.status == 200 else None

    def close(self):
        self.takes_parts.set()
        self.tells_completion.set()
        self.proxy.shutdown()
        self.proxy.server_close()
        self.process.terminate()
        self.process.wait()
        remove_directory(self.directory)
