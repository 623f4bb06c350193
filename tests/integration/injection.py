"""What a script of injections needs: payloads, every text input of an OpenAPI document with a body
that reaches it, and HTTP written byte by byte, so that nothing on this side refuses or mends it."""
import base64
import json
import os
import re
import socket
import struct
import urllib.parse

MARK = "sonnim-injected"
PRODUCT = "9801547"  # 1337 * 7331: in no answer unless somebody calculated it
CANARY = "canary-5f1c9a-nobody-may-read-this"

SQL = (
    "' OR '1'='1", "'; DROP TABLE segments; --", '" OR ""="', "1); DELETE FROM people; --",
    "' UNION SELECT sqlite_version(), 2, 3 --", "' || hex(randomblob(100000000)) || '",
    f"'; ATTACH DATABASE '/tmp/{MARK}.db' AS x; --", "x' AND load_extension('x') --", "%' ESCAPE '",
    "1 OR 1=1/*", "' OR randomblob(500000000) NOT NULL --", "';VACUUM INTO '/tmp/" + MARK + "';--",
)
HEADERS = (
    "a\r\nX-Injected: 1", "a\r\n\r\nHTTP/1.1 200 OK\r\nX-Injected: 1\r\n\r\n",
    "a\nSet-Cookie: injected=1", "a%0d%0aX-Injected:%201", "a\u560d\u560aX-Injected: 1",
    "a\rX-Injected: 1", "a\u0085X-Injected: 1",
)
PATHS = (
    "../" * 8 + "etc/passwd", "/etc/passwd", "../../../canary", "../canary", "....//....//canary",
    "..\\..\\canary", "x\0.jsonl", "%2e%2e%2f%2e%2e%2fcanary", "file:///etc/passwd", ".", "..",
    f"/tmp/{MARK}",
)
FORMULAS = (
    "=1+1", "+1+1", "-1+cmd|' /C calc'!A0", "@SUM(1+1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1",
    '=HYPERLINK("http://127.0.0.1/","x")', 'a",=1+1,"', "a;=1+1",
)
LOGS = (
    'x"}\n{"level":"error","message":"forged"}', "\x1b[31mred\x1b[0m\x07", "x\r\nforged: 1",
    "\u2028{\"message\":\"forged\"}\u2029", "\b\b\b\x7f", '\\"},"message":"forged",{"',
)
TEMPLATES = (
    "{{1337*7331}}", "${1337*7331}", "#{1337*7331}", "<%= 1337*7331 %>", "%s%n%x%p%999999999d",
    "{0}{1!r}", "$(id)", "`id`", "<script>1337*7331</script>", "${jndi:ldap://127.0.0.1/x}",
    "{{constructor.constructor('return 1337*7331')()}}",
)
UNICODE = (
    "\ud800", "a\0b", "\u202egnp.exe", "\ufeff", "\ufffe\uffff", "e\u0301\u0301", "\U0010ffff",
    '{"$ne":null}', "__proto__", "\u0000", "ｆｕｌｌ", "ﷺ" * 20,
)
PATTERNS = (
    "a" * 200 + "!", "(" * 200, "a@" * 100 + ".", "[" * 120, "*" * 200, "(a+)+$" * 20,
    "0 " * 100,
)
NUMBERS = (
    "0", "-1", "9223372036854775808", "1e999", "NaN", "-Infinity", "0x10", "١٢٣", "1" * 200, "",
)
KINDS = {"sql": SQL, "header": HEADERS, "path": PATHS, "formula": FORMULAS, "log": LOGS,
         "template": TEMPLATES, "unicode": UNICODE, "pattern": PATTERNS, "number": NUMBERS}
TEXTS = [(kind, text) for kind, texts in KINDS.items() for text in texts]

# What only a path written by hand can say.
RAW_PATHS = (
    "..", "../..", "%2e%2e", "%2e%2e/%2e%2e", "..%2f..%2f..%2fcanary", "..%2fcanary",
    "..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "%00", "x%00.jsonl",
    "%c0%ae%c0%ae%c0%afcanary", "%e0%80%ae", "%ff%fe", "%", "%zz", "%0d%0aX-Injected:%201",
    "%252e%252e%252fcanary", "..;", "x;y=../..", "%5c..%5c..", "x%20y", "%ed%a0%80", "~", "*",
    "a" * 3000,
)


def chosen(turn, everything):
    """Of the payloads one or two of each kind, others each turn; or all."""
    if everything:
        return TEXTS
    return [(kind, texts[(turn * share + i) % len(texts)]) for kind, texts in KINDS.items()
            for share in [2 if len(texts) > 10 else 1] for i in range(share)]


# ---- HTTP ----

class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # pairs, as they came
        self.body = body

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"


class Broken(Exception):
    """What came is no HTTP."""


class Raw:
    """One connection, from an address of this machine's own: who is slowed down is slowed alone."""

    def __init__(self, address, source="127.0.0.1", seconds=300):
        host, port = address.rsplit(":", 1)
        self.place, self.source, self.seconds = (host, int(port)), source, seconds
        self.socket, self.rest = None, b""

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket, self.rest = None, b""

    def _more(self):
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise EOFError
        self.rest += piece

    def _until(self, end):
        while end not in self.rest:
            self._more()
        taken, self.rest = self.rest.split(end, 1)
        return taken

    def _bytes(self, count):
        while len(self.rest) < count:
            self._more()
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def _chunks(self):
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._bytes(size)
            self._bytes(2)
        self._until(b"\r\n")
        return body

    def _answer(self, method):
        lines = self._until(b"\r\n\r\n").split(b"\r\n")
        found = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [ -~]*", lines[0])
        if not found:
            raise Broken(lines[0][:200])
        headers = []
        for line in lines[1:]:
            match = re.fullmatch(rb"([A-Za-z0-9-]+): ?([^\0-\x1f\x7f]*)", line)
            if not match:
                raise Broken(line[:200])
            headers.append((match[1].decode(), match[2].decode("utf-8")))
        answer = Answer(int(found[1]), headers, b"")
        if answer.status == 101 or method == "HEAD" or answer.status in (204, 304):
            pass
        elif answer.header("transfer-encoding") == "chunked":
            answer.body = self._chunks()
        else:
            answer.body = self._bytes(int(answer.header("content-length") or 0))
        return answer

    def send(self, data, method="GET", ends_early=False):
        """The answer; None when the connection was closed without one."""
        for fresh in (self.socket is None, True):
            if self.socket is None:
                self.socket = socket.create_connection(self.place, self.seconds,
                                                       (self.source, 0))
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.socket.sendall(data)
                answer = self._answer(method)
                break
            except (EOFError, ConnectionError):
                self.close()
                if fresh:
                    return None
        if (answer.header("connection") or "").lower() == "close":
            self.close()
        elif ends_early:
            self.close()  # what came behind it was another request
        elif self.rest and answer.status != 101:
            raise Broken(b"behind the answer: " + self.rest[:200])
        return answer

    def ask(self, method, target, headers=(), body=None):
        """`target` and values of headers: text, or bytes as they are."""
        head = [method.encode() + b" " + as_bytes(target) + b" HTTP/1.1"]
        names = {name.lower() for name, _ in headers}
        if "host" not in names:
            head.append(b"Host: 127.0.0.1")
        head += [name.encode() + b": " + as_bytes(value) for name, value in headers]
        if body is not None or method in ("POST", "PUT", "PATCH"):
            head.append(b"Content-Length: %d" % len(body or b""))
        ends_early = any(b"\r\n\r\n" in line for line in head)
        return self.send(b"\r\n".join(head) + b"\r\n\r\n" + (body or b""), method, ends_early)


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def quoted(text):
    return urllib.parse.quote(as_bytes(text), safe="")


def as_json(value):
    """As UTF-8, unless there is something that has none."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


class WebSocket:
    """After the handshake: frames."""

    def __init__(self, raw, path, protocol=None):
        self.raw = raw
        headers = [("Connection", "Upgrade"), ("Upgrade", "websocket"),
                   ("Sec-WebSocket-Version", "13"),
                   ("Sec-WebSocket-Key", base64.b64encode(os.urandom(16)).decode())]
        if protocol is not None:
            headers.append(("Sec-WebSocket-Protocol", protocol))
        self.answer = raw.ask("GET", path, headers)

    def send(self, data, opcode=1):
        mask = os.urandom(4)
        size = len(data)
        head = bytes([0x80 | opcode, 0x80 | min(size, 126)]) + (
            struct.pack(">H", size) if size >= 126 else b"")
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self.raw.socket.sendall(head + mask + masked)

    def next(self):
        """The opcode and content of the next frame; (None, b"") at the end."""
        try:
            first, second = self.raw._bytes(2)
            size = second & 127
            if size >= 126:
                width = 2 if size == 126 else 8
                size = int.from_bytes(self.raw._bytes(width), "big")
            return first & 15, self.raw._bytes(size)
        except (EOFError, ConnectionError):
            return None, b""


# ---- Inputs of a document ----

class Operation:
    def __init__(self, method, path, operation, document):
        self.method, self.path, self.id = method.upper(), path, operation["operationId"]
        self.public = operation["security"] == []
        self.write_key = any("writeKey" in way for way in operation["security"])
        shared = document["components"]["parameters"]
        self.parameters = [shared[p["$ref"].rsplit("/", 1)[1]] if "$ref" in p else p
                           for p in operation["parameters"]]
        content = operation.get("requestBody", {}).get("content", {})
        self.media = next(iter(content), None)
        self.schema = content[self.media]["schema"] if content else None
        self.success = min(operation["responses"])


def operations(document):
    return [Operation(method, path, operation, document)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()]


class Schemas:
    def __init__(self, document):
        self.named = document["components"]["schemas"]

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.named[schema["$ref"].rsplit("/", 1)[1]]
        if "allOf" in schema:
            merged = {key: value for key, value in schema.items() if key != "allOf"}
            for part in map(self.resolve, schema["allOf"]):
                merged = {**part, **merged, "required": part.get("required", [])
                          + merged.get("required", [])}
            return merged
        return schema

    def ways(self, schema):
        schema = self.resolve(schema)
        return [self.resolve(way) for way in schema.get("anyOf", schema.get("oneOf", [schema]))]

    @staticmethod
    def types(schema):
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        if "enum" in schema and any(isinstance(each, str) for each in schema["enum"]):
            kinds.append("string")
        if not kinds and "properties" not in schema:
            kinds = ["string", "object"]  # anything
        return kinds

    def places(self, schema, at=()):
        """Where a body holds texts: names of members, "*" for items, and of an object with names of
        one's own "{}" for a value and "{key}" for a name."""
        for way in self.ways(schema):
            kinds = self.types(way)
            if "string" in kinds and way.get("format") != "binary":
                yield at
            if "array" in kinds and len(at) < 8:
                yield from self.places(way.get("items", {}), (*at, "*"))
            if "object" in kinds or "properties" in way:
                for name, part in way.get("properties", {}).items():
                    yield from self.places(part, (*at, name))
                if way.get("additionalProperties") is not False:
                    yield (*at, "{}")
                    yield (*at, "{key}")

    def example(self, schema):
        way = self.ways(schema)[0]
        for known in (way.get("examples"), way.get("enum")):
            if known:
                return known[0]
        if "default" in way:
            return way["default"]
        kinds = self.types(way)
        if "object" in kinds or "properties" in way:
            return {name: self.example(way["properties"][name])
                    for name in way.get("required", []) if name in way.get("properties", {})}
        if "array" in kinds:
            return [self.example(way.get("items", {}))]
        if "string" in kinds:
            return "2026-01-01T00:00:00Z" if way.get("format") == "date-time" else \
                "x" * max(1, way.get("minLength", 1))
        return way.get("minimum", 1) if kinds and kinds[0] in ("integer", "number") else True

    def placed(self, value, schema, place, payload):
        """A copy of `value` with the payload there, and with what that needs on the way."""
        if not place:
            return payload
        step, rest = place[0], place[1:]
        way = next((way for way in self.ways(schema)
                    if (step == "*") == ("array" in self.types(way)
                                         and not isinstance(value, dict))), self.ways(schema)[0])
        if step == "*":
            items = list(value) if isinstance(value, list) and value else \
                [self.example(way.get("items", {}))]
            items[0] = self.placed(items[0], way.get("items", {}), rest, payload)
            return items
        members = dict(value) if isinstance(value, dict) else {}
        if step == "{key}":
            return {**members, payload: next(iter(members.values()), "x")}
        if step == "{}":
            return {**members, next(iter(members), "injected"): payload}
        part = way.get("properties", {}).get(step, {})
        inner = members.get(step)
        if inner is None:
            inner = self.example(part)
        members[step] = self.placed(inner, part, rest, payload)
        return members


def found_at(value, place):
    """What stands there; None: nothing."""
    for step in place:
        if step == "*" and isinstance(value, list) and value:
            value = value[0]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return None
    return value


def leaves(value, at=()):
    """Places of the texts in a body, also within objects that the document leaves open."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, list) and value:
        yield from leaves(value[0], (*at, "*"))
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*at, name))


def basic(key):
    return base64.b64encode(f"{key}:".encode()).decode()
