"""schemathesis against the running server and its own document: whatever is asked, no 500, and no
status, content type, header or shape that /openapi.json does not declare.

SONNIM_TEST_OPENAPI_EXAMPLES: how many requests are made up for each operation beside the
systematic ones (2); SONNIM_TEST_SEED repeats a run, 1 without it."""
import json
import os
import subprocess
import unittest

from case import START
from sdk import TOOLS
from server import Server

EXAMPLES = os.environ.get("SONNIM_TEST_OPENAPI_EXAMPLES", "2")
SEED = os.environ.get("SONNIM_TEST_SEED", "1")
SECONDS_MAX = 1800
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_headers_conformance", "response_schema_conformance", "unsupported_method",
          "allow_header_conformance", "ignored_auth")


def close(schema):
    """An answer has no member that the document does not name."""
    if isinstance(schema, list):
        for each in schema:
            close(each)
    elif isinstance(schema, dict):
        if "properties" in schema and "type" in schema:
            schema.setdefault("additionalProperties", False)
        if "allOf" in schema:
            schema["unevaluatedProperties"] = False
            return  # its parts do not know of each other
        for each in schema.values():
            close(each)


def references(value):
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*map(references, value.values()))
    if isinstance(value.get("$ref"), str):
        found.add(value["$ref"].rsplit("/", 1)[1])
    return found


def strict(document):
    """The document with closed answers; what requests or parts of others refer to stays."""
    schemas = document["components"]["schemas"]
    asked = set()
    for path in document["paths"].values():
        for operation in path.values():
            asked |= references(operation.get("requestBody", {}))
    parts = set().union(*(references(schema) for schema in schemas.values() if "allOf" in schema))
    while more := set().union(*(references(schemas[name]) for name in asked)) - asked:
        asked |= more
    for name in schemas.keys() - asked - parts:
        close(schemas[name])
    return document


class OpenApi(unittest.TestCase):
    def ask(self, server, key, *choice):
        """Runs it over the chosen operations; the answers are in its report."""
        client = server.client()
        place = server.directory / "schemathesis"
        place.mkdir()
        (place / "openapi.json").write_text(json.dumps(strict(client.get("/openapi.json"))))
        (place / "config.toml").write_text(
            f'[parameters]\nwriteKey = "{key}"\n'
            f'[auth.openapi.token]\nbearer = "{server.token}"\n'
            f'[auth.openapi.writeKey]\nusername = "{key}"\npassword = ""\n')
        client.close()
        done = subprocess.run(
            [TOOLS.parent / "schemathesis", "--config-file", "config.toml", "run", "openapi.json",
             "--url", f"http://{server.address}", "--checks", ",".join(CHECKS), "--seed", SEED,
             "--max-examples", EXAMPLES, "--generation-database", "none", "--continue-on-failure",
             "--phases", "examples,coverage,fuzzing", "--warnings", "off", "--no-color", *choice],
            cwd=place, capture_output=True, text=True, timeout=SECONDS_MAX)
        self.assertEqual(done.returncode, 0, done.stdout[-20_000:] + done.stderr[-2000:]
                         + server.log_tail())
        self.assertEqual(server.client().request("GET", "/health/ready").status, 200)
        return done.stdout

    def fill(self, server, key):
        """Something of each kind, so that there is something to answer."""
        client = server.client()
        for name in ("0", "kim"):
            client.expect(200, "POST", "/v1/identify", {"userId": name, "traits": {
                "email": "kim@example.com", "tier": "VIP", "deviceTokens": ["t"]}}, key=key)
            client.expect(200, "POST", "/v1/track", {
                "userId": name, "event": "Order Completed", "messageId": f"m-{name}",
                "properties": {"revenue": 12.5, "order_id": "o-1"}}, key=key)
        for name in ("0", "busy-buyers"):
            client.expect(201, "POST", "/api/v1/segments", {
                "key": name, "name": name, "expression": 'count("Order Completed") within 1h >= 1'})
            client.wait_live(name)
            client.expect(200, "PUT", f"/api/v1/consumers/{name}", {})
        client.close()

    def test_no_answer_is_outside_of_the_document(self):
        server = Server("--partitions", "3", clock="wall")
        with server:
            key = server.make_key()
            self.fill(server, key)
            # It must not delete the token that it asks with.
            left_out = ["deleteToken", "setClock"]
            if EXAMPLES == "2":  # what goes the same way as track and batch
                alike = ("identify", "page", "screen", "group", "alias")
                left_out += [*alike, *(f"{name}Short" for name in (*alike, "track", "batch"))]
            self.ask(server, key, *(f"--exclude-operation-id={name}" for name in left_out))

    def test_tokens_and_the_clock_are_no_exception(self):
        server = Server("--partitions", "3")
        with server:
            client = server.client()
            client.set_clock(START)
            client.close()
            self.ask(server, server.make_key(), "--include-operation-id", "deleteToken",
                     "--include-operation-id", "setClock")


