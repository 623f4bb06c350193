"""Segment's own SDK for Node, unmodified, against the running server."""
import datetime
import http.server
import threading
import time

from case import ServerCase
from node import Node
from server import Server


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Sdk(ServerCase):
    clock = "wall"

    def sdk(self, address=None):
        node = Node("sdk.mjs", f"http://{address or self.server.address}", self.key)
        self.addCleanup(node.__exit__)
        return node

    def delivered(self, node, count):
        """Waits until so many calls were delivered without an error."""
        numbers = set()
        while len(numbers) < count:
            line = node.next()
            if "delivered" in line:
                self.assertIsNone(line["error"])
                numbers.add(line["delivered"])

    def test_every_call_arrives_with_its_content(self):
        before = now() - datetime.timedelta(seconds=5)
        with self.sdk() as node:
            calls = [
                ("identify", {"userId": "sdk", "traits": {"tier": "VIP", "age": 30}}),
                ("track", {"userId": "sdk", "event": "Order Completed", "messageId": "sdk-1",
                           "properties": {"revenue": 12.5, "region": "제주", "tags": ["a", "b"]},
                           "context": {"app": {"name": "shop"}}}),
                ("page", {"userId": "sdk", "name": "Home", "category": "Docs",
                          "properties": {"url": "https://shop.example/"}}),
                ("screen", {"userId": "sdk", "name": "Cart", "properties": {"n": 1}}),
                ("group", {"userId": "sdk", "groupId": "team-1", "traits": {"seats": 5}}),
                ("track", {"anonymousId": "sdk-visitor", "event": "Seen"}),
                ("identify", {"userId": "sdk", "anonymousId": "sdk-browser"}),
                ("track", {"anonymousId": "sdk-browser", "event": "Linked"}),
                ("alias", {"userId": "sdk", "previousId": "sdk-older"}),
                ("track", {"userId": "sdk", "event": "Dated",
                           "timestamp": "2026-01-02T03:04:05.678Z"}),
            ]
            for call, arguments in calls:
                node.send(call=call, arguments=arguments)
            self.delivered(node, len(calls))
            node.close()
        events = {event["event"]: event for event in self.events("sdk")}
        self.assertEqual(set(events), {"Order Completed", "$page", "$screen", "Linked", "Dated"})
        order = events["Order Completed"]
        self.assertEqual((order["messageId"], order["properties"]),
                         ("sdk-1", {"revenue": 12.5, "region": "제주", "tags": ["a", "b"]}))
        self.assertEqual(order["context"]["app"], {"name": "shop"})
        self.assertEqual(order["context"]["library"]["name"], "@segment/analytics-node")
        self.assertEqual(events["$page"]["properties"],
                         {"url": "https://shop.example/", "name": "Home", "category": "Docs"})
        self.assertEqual(events["$screen"]["properties"], {"n": 1, "name": "Cart"})
        time = datetime.datetime.fromisoformat(order["time"].replace("Z", "+00:00"))
        self.assertTrue(before < time < now() + datetime.timedelta(seconds=5), order)
        self.assertEqual(self.user("sdk", "profile")["attributes"],
                         {"tier": "VIP", "age": 30, "group_id": "team-1"})
        self.assertEqual(self.user("anonymous_id:sdk-visitor", "events")["total"], 1)
        self.assertEqual(self.user("anonymous_id:sdk-older", "profile")["id"], "sdk")

    def test_the_clock_of_the_sender_is_corrected(self):
        """sentAt comes with the batch, so a timestamp in the past stays as far in the past."""
        an_hour_ago = now() - datetime.timedelta(hours=1)
        with self.sdk() as node:
            node.send(call="track", arguments={"userId": "dated", "event": "Seen",
                                               "timestamp": an_hour_ago.isoformat()})
            self.delivered(node, 1)
        time = datetime.datetime.fromisoformat(
            self.events("dated")[0]["time"].replace("Z", "+00:00"))
        self.assertLess(abs((time - an_hour_ago).total_seconds()), 5)

    def test_an_oversized_event_is_rejected_singly(self):
        with self.sdk() as node:
            for i in range(10):
                properties = {"long": "x" * 33_000} if i == 4 else {"i": i}
                node.send(call="track", arguments={"userId": "oversized", "event": "Seen",
                                                   "properties": properties})
            node.close()
        seen = sorted(event["properties"].get("i", -1) for event in self.events("oversized"))
        self.assertEqual([i for i in seen if i >= 0], [0, 1, 2, 3, 5, 6, 7, 8, 9])
        self.assertEqual(len(seen), 9)

    def test_duplicates_are_stored_once(self):
        with self.sdk() as node:
            for _ in range(3):
                for i in range(7):
                    node.send(call="track", arguments={"userId": "twice", "event": "Seen",
                                                       "messageId": f"d-{i}"})
            self.delivered(node, 21)
        self.assertEqual(sorted(event["messageId"] for event in self.events("twice")),
                         [f"d-{i}" for i in range(7)])

    def test_nothing_is_lost_over_a_restart_in_the_middle(self):
        server = Server(clock="wall")
        with server:
            key, address = server.make_key(), server.address
            server.listen = address
            with Node("sdk.mjs", f"http://{address}", key) as node:
                for i in range(60):
                    node.send(call="track", arguments={"userId": "restarted", "event": "Seen",
                                                       "messageId": f"r-{i}"})
                    if i == 20:
                        server.kill()
                    elif i == 40:
                        server.start()
                self.delivered(node, 60)
            client = server.client()
            events = client.items("/api/v1/users/restarted/events")
            self.assertEqual(sorted(event["messageId"] for event in events),
                             sorted(f"r-{i}" for i in range(60)))

    def test_nothing_is_lost_while_the_server_answers_503(self):
        """A server at its memory limit, until it is given more."""
        server = Server("--memory-limit", "64MiB", "--events-tail", "1TiB",
                        "--checkpoint-interval", "1h", clock="wall")
        with server:
            key, client = server.make_key(), server.client()
            filler = {f"p{i}": "x" * 60 for i in range(400)}
            refused = 0  # once may be for what is on its way alone
            for number in range(200):
                answer = client.request("POST", "/v1/batch", {"batch": [
                    {"type": "track", "userId": "filler", "event": "Filled", "properties": filler}
                    for _ in range(100)]}, key=key)
                refused = refused + 1 if answer.status == 503 else 0
                if refused == 5:
                    break
                if refused:
                    time.sleep(0.2)
            self.assertEqual((answer.status, answer.code), (503, "MEMORY_LIMIT"))
            server.listen = server.address
            with Node("sdk.mjs", f"http://{server.address}", key) as node:
                for i in range(12):
                    node.send(call="track", arguments={"userId": "patient", "event": "Seen",
                                                       "messageId": f"p-{i}"})
                node.send(call="flush")
                with self.assertRaises(Exception):
                    node.next(2)  # it tries again and again
                self.assertEqual(client.request("GET", "/api/v1/users/patient/events").status, 404)
                server.stop()
                server.flags = ["--memory-limit", "512MiB"]
                server.start()
                self.delivered(node, 12)
            client = server.client()
            events = client.items("/api/v1/users/patient/events")
            self.assertEqual(sorted(event["messageId"] for event in events),
                             sorted(f"p-{i}" for i in range(12)))


class BehindAProxy(ServerCase):
    clock = "wall"

    def test_a_503_with_retry_after_is_sent_again(self):
        """The first answers are a proxy's 503, the server's own come after."""
        refusals = [3]
        target = self.server

        class Proxy(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if refusals[0] > 0:
                    refusals[0] -= 1
                    self.send_response(503)
                    self.send_header("Retry-After", "1")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                client = target.client()
                answer = client.request("POST", self.path, body, {
                    name: value for name, value in self.headers.items()
                    if name.lower() in ("authorization", "content-type", "content-encoding")})
                client.close()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_):
                pass

        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        with Node("sdk.mjs", f"http://127.0.0.1:{proxy.server_port}", self.key) as node:
            for i in range(5):
                node.send(call="track", arguments={"userId": "proxied", "event": "Seen",
                                                   "messageId": f"x-{i}"})
            done = 0
            while done < 5:
                line = node.next()
                self.assertIsNone(line.get("error"))
                done += "delivered" in line
        self.assertEqual(len(self.events("proxied")), 5)
