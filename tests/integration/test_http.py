"""HTTP itself: sizes, methods, CORS, bodies as browsers send them, broken requests."""
import gzip
import json
import socket

from case import ServerCase
from server import ANSWER_SECONDS_MAX, Client


class Http(ServerCase):
    def raw(self, data, seconds=2):
        """What a socket gets back, at most 64 KB, until the server closes it or seems to wait for
        the rest of a request (its own time limits are longer)."""
        host, port = self.server.address.rsplit(":", 1)
        received = b""
        with socket.create_connection((host, int(port)), timeout=seconds) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while len(received) < 65536 and (chunk := connection.recv(65536)):
                    received += chunk
            except (TimeoutError, ConnectionError):
                pass
        return received

    def browser(self):
        client = Client(self.server.address)
        self.addCleanup(client.close)
        return client

    def test_a_body_over_4_MB_is_413(self):
        body = b'{"batch":[' + b" " * (4 << 20) + b"]}"
        self.refused(self.client.request("POST", "/v1/batch", body, key=self.key), 413,
                     "PAYLOAD_TOO_LARGE")
        self.client.close()
        self.client.expect(200, "POST", "/v1/batch", b'{"batch":[' + b" " * (4_000_000) + b"]}",
                           key=self.key)

    def test_a_compressed_body_counts_by_what_it_unpacks_to(self):
        event = {"type": "track", "userId": "zip", "event": "Seen"}
        headers = {"Content-Encoding": "gzip"}
        body = gzip.compress(json.dumps({"batch": [event]}).encode())
        self.client.expect(200, "POST", "/v1/batch", body, headers, key=self.key)
        self.assertEqual(len(self.events("zip")), 1)
        bomb = gzip.compress(b'{"batch":[' + b" " * (64 << 20) + b"]}")
        answer = self.client.request("POST", "/v1/batch", bomb, headers, key=self.key)
        self.refused(answer, 413, "PAYLOAD_TOO_LARGE")
        self.client.close()
        for damaged in (body[:-9], b"\x1f\x8b" + b"x" * 50, b"no gzip"):
            answer = self.client.request("POST", "/v1/batch", damaged, headers, key=self.key)
            self.refused(answer, 400)
            self.client.close()

    def test_headers_that_are_too_large_are_refused(self):
        answer = self.raw(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 200_000 +
                          b"\r\n\r\n")
        self.assertIn(answer.split(b"\r\n")[0].split(b" ")[1:2],
                      ([b"431"], [b"413"], [b"414"], []))
        self.client.expect(200, "GET", "/health/live")

    def test_broken_requests_do_no_harm(self):
        head = b"POST /v1/track HTTP/1.1\r\nHost: x\r\n"
        for data in (b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00",
                     head + b"Content-Length: -5\r\n\r\n",
                     head + b"Content-Length: 99999999999999999999\r\n\r\n",
                     head + b"Content-Length: 100\r\n\r\nshort",
                     head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                     b"GET /%00%ff%2e%2e/%zz HTTP/1.1\r\nHost: x\r\n\r\n"):
            with self.subTest(data=data[:40]):
                answer = self.raw(data)
                self.assertNotIn(b" 200 ", answer.split(b"\r\n")[0])
        self.client.expect(200, "GET", "/health/live")

    def test_empty_lines_before_a_request_are_ignored(self):
        """RFC 9112, section 2.2; alone they are no request, and get no answer."""
        for lines in (b"\r\n", b"\r\n\r\n"):
            answer = self.raw(lines + b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
                              b"Connection: close\r\n\r\n", ANSWER_SECONDS_MAX)
            self.assertEqual(answer.split(b"\r\n")[0], b"HTTP/1.1 200 OK")
            self.assertEqual(self.raw(lines), b"")

    def test_unknown_paths_are_404_and_wrong_methods_405(self):
        for path in ("/", "/api/v1/nothing", "/v1/nothing", "/api/v1/segments/x/y/z", "/v1",
                     "/api/v1/../../etc/passwd"):
            self.refused(self.client.request("GET", path), 404, "NOT_FOUND")
        answer = self.client.request("DELETE", "/api/v1/segments")
        self.refused(answer, 405, "METHOD_NOT_ALLOWED")
        self.assertEqual(set(answer.headers["Allow"].split(", ")),
                         {"GET", "HEAD", "POST", "OPTIONS"})

    def test_a_field_that_is_there_twice_is_refused(self):
        for path, body, field in (
                ("/api/v1/tokens", b'{"name":"a","scopes":["user.read"],"scopes":["admin"]}',
                 "scopes"),
                ("/api/v1/privacy/requests", b'{"type":"SUPPRESS_ONLY","type":"DELETE_ONLY",'
                 b'"subjects":[{"userId":"twice"}]}', "type")):
            self.refused(self.client.request("POST", path, body), 400, "VALIDATION_ERROR", field)
        self.assertEqual(self.client.get("/api/v1/privacy/requests")["items"], [])

    def test_what_is_reserved_is_not_offered(self):
        for path in ("/api/v1/campaigns", "/api/v1/activities", "/api/v1/llm/query"):
            answer = self.client.request("POST", path, {})
            self.assertEqual(answer.status, 404, answer)

    def test_CORS_lets_browsers_send(self):
        client = self.browser()
        for path in ("/v1/t", "/v1/batch", "/v1/projects/x/settings"):
            answer = client.request("OPTIONS", path, headers={
                "Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,authorization,x-retry-count"})
            self.assertEqual(answer.status, 204, answer)
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
            allowed = answer.headers["Access-Control-Allow-Headers"].lower()
            for header in ("authorization", "content-type", "x-retry-count"):
                self.assertIn(header, allowed)
            self.assertIn("POST", answer.headers["Access-Control-Allow-Methods"])
        for key in (self.key, "wrong"):
            answer = client.request("POST", "/v1/t", {"userId": "cors", "event": "Seen",
                                                      "writeKey": key},
                                    headers={"Origin": "https://shop.example"})
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
            self.assertIn("Retry-After", answer.headers["Access-Control-Expose-Headers"])

    def test_the_api_with_tokens_has_no_CORS(self):
        answer = self.client.request("GET", "/api/v1/segments",
                                     headers={"Origin": "https://evil.example"})
        self.assertNotIn("Access-Control-Allow-Origin", answer.headers)

    def test_text_plain_and_beacons_are_taken(self):
        client = self.browser()
        for content_type in ("text/plain", "text/plain;charset=UTF-8", "application/json", "",
                             "application/x-www-form-urlencoded"):
            body = {"batch": [{"type": "track", "userId": "beacon", "event": "Seen"}],
                    "writeKey": self.key, "sentAt": "2026-01-01T00:00:00.000Z"}
            answer = client.request("POST", "/v1/b", json.dumps(body).encode(),
                                    {"Content-Type": content_type, "Origin": "https://a.example"})
            self.assertEqual((answer.status, answer.json), (200, {"success": True}), content_type)
        self.assertEqual(len(self.events("beacon")), 5)

    def test_the_short_and_the_long_paths_are_the_same(self):
        for path, message in [("t", {"event": "Seen"}), ("track", {"event": "Seen"}), ("p", {}),
                              ("page", {}), ("s", {}), ("screen", {}), ("i", {"traits": {"a": 1}}),
                              ("identify", {"traits": {"a": 1}}), ("g", {"groupId": "g"}),
                              ("group", {"groupId": "g"})]:
            answer = self.client.request("POST", f"/v1/{path}", {"userId": "paths", **message},
                                         key=self.key)
            self.assertEqual((answer.status, answer.json), (200, {"success": True}), path)
        self.assertEqual(sorted(event["type"] for event in self.events("paths")),
                         ["page", "page", "screen", "screen", "track", "track"])
        self.assertEqual(self.user("paths", "profile")["attributes"], {"a": 1, "group_id": "g"})

    def test_what_SDKs_tell_of_themselves_is_taken_and_ignored(self):
        answer = self.browser().request("POST", "/v1/m", b"whatever",
                                        {"Content-Type": "text/plain"})
        self.assertEqual((answer.status, answer.json), (200, {"success": True}))

    def test_nothing_is_redirected(self):
        for path in ("/v1/batch/", "//v1/batch", "/v1/track?x=1"):
            answer = self.client.request("POST", path, {"userId": "r", "event": "Seen"},
                                         key=self.key)
            self.assertNotIn(answer.status, range(300, 400))

    def test_errors_bear_the_trace_id_of_the_caller(self):
        trace = "0af7651916cd43dd8448eb211c80319c"
        answer = self.client.request("GET", "/api/v1/segments/none",
                                     headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        self.assertEqual(self.refused(answer, 404, "NOT_FOUND")["traceId"], trace)

    def test_the_openapi_document_names_every_route_that_answers(self):
        document = self.browser().get("/openapi.json")
        self.assertTrue(document["openapi"].startswith("3."))
        for path in ("/api/v1/segments/{id}/members", "/v1/batch", "/api/v1/clock",
                     "/ws/segments/{id}/realtime", "/api/v1/users/{id}/segments"):
            self.assertIn(path, document["paths"])

    def test_health_and_metrics_answer(self):
        client = self.browser()
        self.assertEqual(client.get("/health/live"), {"status": "ok"})
        ready = client.get("/health/ready")
        self.assertEqual(ready["status"], "ready")
        self.assertTrue(all(phase["done"] for phase in ready["phases"]))
        metrics = self.client.expect(200, "GET", "/metrics").body.decode()
        self.assertRegex(metrics, r"(?m)^sonnim_\w+(\{.*\})? [0-9.e+]+$")
