"""Marked personal values go through every path; without pii.read nothing that the server answers,
writes or says of itself has them in clear, and with it they are shown and recorded."""
import base64
import itertools
import json
import os
import socket
import time
import urllib.parse

from case import ServerCase
from server import ANSWER_SECONDS_MAX, contents
from transfer import start_import, wait_job

EMAIL = "mark.eml@pii.example"
PHONE = "010-7777-1234"
LONG = "MarkText " + "of what somebody wrote about themselves, " * 3
MARKS = [EMAIL, "mark.eml", PHONE, "01077771234", "1077771234", "MarkName", "MarkStreet",
         "MarkText", "203.0.113.77", "MarkToken", "MarkAdvert", "1987-06-05"]
TRAITS = {"email": EMAIL, "phone": PHONE, "name": "MarkName Kim", "first_name": "MarkName",
          "address": {"street": "MarkStreet 5"}, "birthday": "1987-06-05", "bio": LONG,
          "device_token": "MarkToken", "ad_id": "MarkAdvert", "plan": "pro"}
CONTEXT = {"ip": "203.0.113.77", "device": {"id": "MarkToken", "token": "MarkToken",
                                            "advertisingId": "MarkAdvert"},
           "traits": {"email": EMAIL, "phone": PHONE}}
UNKNOWN = "00000000-0000-4000-8000-000000000000"
PLAN = {"events": [{"name": "Planned", "properties": [
    {"name": "email", "type": "number"}, {"name": "choice", "type": "string", "enum": ["a", "b"]},
    {"name": "missing", "type": "string", "required": True}]}]}


class Masking(ServerCase):
    flags = ("--partitions", "3", "--log-level", "debug")
    clock = "wall"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.server.client()
        cls.send(client)
        cls.ids = cls.make(client)
        client.close()

    @classmethod
    def post(cls, client, path, **message):
        return client.request("POST", path, message, key=cls.key)

    @classmethod
    def send(cls, client):
        post = cls.post
        for who in ({"userId": "marked"}, {"anonymousId": "marked-visitor"}):
            post(client, "/v1/identify", **who, traits=TRAITS, context=CONTEXT)
            for name in ("Seen", "Order Completed"):
                post(client, "/v1/track", **who, event=name, context=CONTEXT, messageId=f"m-{name}",
                     properties={"email": EMAIL, "phone": PHONE, "note": LONG, "revenue": 5})
            post(client, "/v1/page", **who, name="Home", properties={"email": EMAIL},
                 context=CONTEXT)
        # What is rejected, each for another reason.
        post(client, "/v1/track", userId="marked", properties={"email": EMAIL, "text": LONG})
        post(client, "/v1/track", event="Seen", properties={"phone": PHONE}, context=CONTEXT)
        post(client, "/v1/track", userId="marked", event="Seen", timestamp="no time",
             properties=TRAITS, context=CONTEXT)
        post(client, "/v1/identify", userId="marked", traits=[TRAITS])
        post(client, "/v1/batch", batch=[{"type": "what", "traits": TRAITS, "userId": "marked"}])
        client.request("POST", "/v1/identify",
                       ('{"userId":"marked","traits":{"email":"%s","n":1e999}}' % EMAIL).encode(),
                       {"Content-Type": "application/json"}, key=cls.key)
        client.request("POST", "/v1/track", ('{"email":"%s"' % EMAIL).encode(),
                       {"Content-Type": "application/json"}, key=cls.key)

    @classmethod
    def make(cls, client):
        """What answers can name: by the part of the path before the id."""
        source = client.get("/api/v1/sources")["items"][0]["id"]
        client.expect(200, "PUT", f"/api/v1/sources/{source}/tracking-plan", PLAN)
        cls.post(client, "/v1/track", userId="marked", event="Planned",
                 properties={"email": EMAIL, "choice": "c", "note": LONG})
        client.expect(201, "POST", "/api/v1/segments", {
            "key": "addressed", "name": "addressed", "expression": {"and": [
                {"trait": "email", "op": "in", "value": [EMAIL]},
                {"trait": "phone", "op": "eq", "value": PHONE}]}})
        client.wait_live("addressed")
        asked = client.expect(200, "POST", "/api/v1/audience/calculate", {
            "expression": f'trait(email) = "{EMAIL}"', "sample": 5}).json
        saved = client.expect(201, "POST", "/api/v1/audiences", {
            "name": "saved", "expression": f'trait(phone) = "{PHONE}"'}).json
        rows = (f"user_id,email,phone,n\nimported,{EMAIL},{PHONE},1\n"
                f",{EMAIL},{PHONE},2\n\"{EMAIL}\",\"{LONG}\n").encode()
        mapping = {"type": "identify", "map": {
            "userId": "user_id", "traits.email": "email", "traits.phone": "phone"}}
        jobs = [start_import(client, rows), start_import(client, rows, mapping),
                start_import(client, b'{"type":"track","email":"%s"}\nno json %s\n'
                             % (EMAIL.encode(), EMAIL.encode()), name="rows.jsonl")]
        exports = [client.request("POST", "/api/v1/exports", wish) for wish in (
            {"what": ["events"]}, {"what": ["profiles"]}, {"what": ["profiles"], "format": "csv"})]
        jobs += [one.json["id"] for one in exports if one.status == 202]
        files = [client.request("POST", "/api/v1/audience/export", {
            "audience_id": asked["audience_id"], "format": form, "destination": "file"})
            for form in ("csv", "jsonl")]
        cls.files = [one.json for one in files if one.status in (200, 202)]
        for job in jobs:
            wait_job(client, job)
        letters = client.get(f"/api/v1/sources/{source}/dead-letters")["items"]
        return {
            "/sources/": [source], "/dead-letters/": [letter["id"] for letter in letters],
            "/segments/": ["addressed"], "/audiences/": [saved["id"]],
            "/audience/exports/": [one["export_id"] for one in cls.files],
            "/users/": ["marked", "anonymous_id:marked-visitor"],
            "/jobs/": [job["id"] for job in client.items("/api/v1/jobs")],
            "/imports/": jobs, "/exports/": jobs,
            "/mart/": ["dim_users", "fact_user_behavior", "fact_bookings", "user_behavior_mart"],
            "/files/": ["part-00000.jsonl", "manifest.json", "events.jsonl", "profiles.jsonl"],
        }

    def paths(self, path):
        """The path with everything in its places that there is."""
        parts = path.split("{")
        choices = [[parts[0]]]
        for before, part in zip(parts, parts[1:]):
            before = before if before.startswith("/") else before[before.index("}") + 1:]
            ids = next((ids for end, ids in self.ids.items() if before.endswith(end)), [UNKNOWN])
            rest = part[part.index("}") + 1:]
            choices.append([urllib.parse.quote(one, safe=":") + rest for one in ids])
        return ["".join(chosen) for chosen in itertools.product(*choices)]

    def queries(self, path):
        if path.endswith("/explain"):
            return ["?segment=addressed"]
        if path == "/api/v1/users":
            return [f"?email={EMAIL}", f"?phone={PHONE}", "?phone=MarkStreet"]
        if path.endswith("/dead-letters"):
            return ["", f"?text={EMAIL}"]
        return [""]

    def assert_clear_of(self, text, what):
        if isinstance(text, str):
            text = text.encode()
        for mark in MARKS:
            if mark.encode() in text:
                at = text.index(mark.encode())
                self.fail(f"{what} shows {mark}: …{text[max(at - 200, 0):at + 60]}…")

    def without(self):
        """A token with every scope but those that show personal values."""
        scopes = {operation["x-scope"]
                  for operations in self.client.get("/openapi.json")["paths"].values()
                  for operation in operations.values() if "x-scope" in operation}
        client, _ = self.client_with(*(scope for scope in scopes
                                       if scope not in ("admin", "pii.read")))
        return client

    def gets(self):
        for path, operations in self.client.get("/openapi.json")["paths"].items():
            if "get" in operations and not path.startswith(("/ws/", "/pixel/")):
                yield path

    def test_no_answer_to_a_reader_without_pii_read_has_a_marked_value(self):
        client, asked, found = self.without(), 0, 0
        for route in self.gets():
            for path in self.paths(route):
                for query in self.queries(route):
                    answer = client.request("GET", path + query)
                    asked += 1
                    found += answer.status == 200
                    with self.subTest(path=path + query):
                        self.assert_clear_of(answer.body, path + query)
                        self.assert_clear_of(str(answer.headers), path + query)
        self.assertGreater(found, 60, asked)

    def test_no_answer_to_a_question_or_a_mistake_repeats_it(self):
        client = self.without()
        for path, body in (
                ("/api/v1/audience/calculate", {"expression": f'trait(email) = "{EMAIL}"',
                                                "sample": 10, "breakdowns": ["plan", "email"]}),
                ("/api/v1/audience/calculate", {"expression": "trait(plan) exists", "sample": 10}),
                ("/api/v1/segments/preview", {"expression": {
                    "trait": "email", "op": "in", "value": [EMAIL, "no@address@x"]}}),
                ("/api/v1/segments/preview", {"expression": f'trait(phone) = "{PHONE}"'}),
                ("/api/v1/segments", {"key": "x", "name": "x", "expression": {
                    "trait": "name", "op": "eq", "value": "MarkName Kim"}})):
            answer = client.request("POST", path, body)
            with self.subTest(path=path, body=body):
                self.assert_clear_of(answer.body, path)

    def test_exports_are_masked(self):
        self.assertEqual(len(self.files), 2)
        for one in self.files:
            deadline = time.monotonic() + 300
            while True:
                path = urllib.parse.urlsplit(one["file_url"])
                answer = self.client.request("GET", f"{path.path}?{path.query}")
                if answer.status == 200 or time.monotonic() > deadline:
                    break
                time.sleep(0.05)
            self.assertEqual(answer.status, 200, answer)
            self.assert_clear_of(answer.body, "an exported file")
            self.assertIn(b"m***@pii.example", answer.body)

    def test_no_socket_shows_a_marked_value(self):
        client = self.without()
        host, port = self.server.address.rsplit(":", 1)
        for route in self.client.get("/openapi.json")["paths"]:
            if not route.startswith("/ws/"):
                continue
            for path in self.paths(route):
                key = base64.b64encode(os.urandom(16)).decode()
                token = client.token
                with socket.create_connection((host, int(port)), ANSWER_SECONDS_MAX) as one:
                    one.sendall((f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
                                 f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                 f"Sec-WebSocket-Key: {key}\r\n"
                                 f"Sec-WebSocket-Protocol: sonnim.bearer.{token}\r\n\r\n").encode())
                    if "debug" in path:
                        self.send(self.client)
                    said = one.recv(65536)  # whether it opens, however long that takes
                    one.settimeout(0.4)
                    try:
                        while more := one.recv(65536):
                            said += more
                    except TimeoutError:
                        pass
                with self.subTest(path=path):
                    if UNKNOWN not in path:
                        self.assertIn(b" 101 ", said[:20], said[:200])
                    self.assert_clear_of(said, path)

    def test_neither_the_log_nor_the_metrics_nor_the_audit_trail_has_one(self):
        self.client.request("GET", f"/api/v1/users?email={EMAIL}")
        self.client.request("GET", f"/api/v1/users/{EMAIL}/profile")
        self.client.request("GET", f"/api/v1/audit?target=user_id:{EMAIL}")
        self.flush_trail()
        self.assert_clear_of(self.server.log_file.read_text(), "the log")
        self.assert_clear_of(self.client.expect(200, "GET", "/metrics").body, "/metrics")
        records = self.client.expect(200, "GET", "/api/v1/audit/export").body
        self.assertIn(b"user.search", records)
        self.assert_clear_of(records, "the audit trail")
        for path, content in contents(self.server.data):
            # Its files are rows as they came, or were asked for: for pii.read, for their retention.
            if "jobs" not in path.relative_to(self.server.data).parts[:-1]:
                self.assert_clear_of(content, path.name)

    def test_with_pii_read_they_are_shown_and_that_is_recorded(self):
        client, token = self.client_with("user.read", "pii.read", "audience.read")
        profile = client.expect(200, "GET", "/api/v1/users/marked/profile")
        self.assertEqual(profile.json["email"], EMAIL)
        self.assertEqual(profile.json["attributes"]["bio"], LONG)
        events = client.expect(200, "GET", "/api/v1/users/marked/events")
        self.assertIn("203.0.113.77", events.body.decode())
        found = client.expect(200, "GET", f"/api/v1/users?email={EMAIL}").json["items"]
        self.assertEqual(found[0]["traits"]["phone"], PHONE)
        self.flush_trail()
        records = self.client.get(f"/api/v1/audit?actor=token:{token}")["items"]
        self.assertEqual({record["action"] for record in records},
                         {"user.read", "user.events", "user.search"})
        self.assertTrue(json.dumps(records))
