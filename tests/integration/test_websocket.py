"""WebSockets, seen by the npm package ws."""
from datetime import datetime

from case import ServerCase
from instants import write_instant
from program import Node

MINUTE = {"event": "Seen", "within": "60s", "op": "gte", "value": 1}


class WebSockets(ServerCase):
    def socket(self, path, subprotocol=None):
        node = Node("socket.mjs", f"ws://{self.server.address}{path}",
                    *([subprotocol] if subprotocol else []))
        self.addCleanup(node.__exit__)
        return node

    def with_token(self, path):
        protocol = f"sonnim.bearer.{self.server.token}"
        node = self.socket(path, protocol)
        self.assertEqual(node.next(), {"open": protocol})
        return node

    def now(self):
        text = self.client.get("/api/v1/segments")["as_of"]
        return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)

    def test_a_user_is_seen_to_enter_and_to_leave(self):
        segment = self.make_segment("minute", MINUTE)
        self.make_segment("never-seen", {"event": "Seen", "op": "eq", "value": 0})
        self.track("watched", event="Other")
        now = self.now()
        node = self.with_token("/ws/users/watched/segments")
        snapshot = node.next()
        self.assertEqual(snapshot["userId"], "watched")
        self.assertNotIn(segment["id"], str(snapshot))
        self.track("watched")
        self.client.set_clock(now + 60_000)
        messages, found = [], []
        while len(found) < 2:  # other segments change, too
            messages.append(node.next())
            found = [(m["change"], m["at"], m["cause"]) for m in messages
                     if m["segmentId"] == segment["id"]]
        self.assertEqual(found, [("entered", write_instant(now), "event"),
                                 ("exited", write_instant(now + 60_000), "expiry")])
        self.assertTrue(all(m["userId"] == "watched" for m in messages))

    def test_the_size_of_a_segment_follows_its_members(self):
        segment = self.make_segment("crowd", MINUTE)
        now = self.now()
        node = self.with_token("/ws/segments/crowd/realtime")
        first = node.next()
        self.assertEqual((first["audience_id"], first["new_size"]), (segment["id"], 0))
        size = 0
        for i in range(1, 4):
            self.track(f"member-{i}")
            while size < i:
                message = node.next()
                self.assertEqual(message["new_size"], size + message["delta"])
                size = message["new_size"]
        self.client.set_clock(now + 60_000)
        while size > 0:
            message = node.next()
            self.assertEqual(message["new_size"], size + message["delta"])
            size = message["new_size"]
        self.assertEqual(self.members("crowd"), [])

    def test_a_ticket_opens_one_socket(self):
        self.make_segment("ticketed", MINUTE)
        ticket = self.client.expect(201, "POST", "/api/v1/ws-tickets").json["ticket"]
        path = f"/ws/segments/ticketed/realtime?ticket={ticket}"
        node = self.socket(path)
        self.assertEqual(node.next(), {"open": ""})
        self.assertEqual(node.next()["new_size"], 0)
        self.assertEqual(self.socket(path).next(), {"refused": 401})

    def test_who_may_not_is_refused(self):
        self.make_segment("closed", MINUTE)
        self.track("someone")
        path = "/ws/segments/closed/realtime"
        self.assertEqual(self.socket(path).next(), {"refused": 401})
        self.assertEqual(self.socket(path, "sonnim.bearer.wrong").next(), {"refused": 401})
        reader, _ = self.client_with("segment.read")
        protocol = f"sonnim.bearer.{reader.token}"
        self.assertEqual(self.socket("/ws/users/someone/segments", protocol).next(),
                         {"refused": 403})
        self.assertEqual(self.socket(path, protocol).next(), {"open": protocol})

    def test_what_does_not_exist_is_404(self):
        protocol = f"sonnim.bearer.{self.server.token}"
        for path in ("/ws/segments/none/realtime", "/ws/users/nobody/segments", "/ws/none"):
            self.assertEqual(self.socket(path, protocol).next(), {"refused": 404})
        self.refused(self.client.request("GET", "/ws/users/nobody/segments"), 400)

    def test_a_stop_closes_sockets(self):
        self.make_segment("stopped", MINUTE)
        node = self.with_token("/ws/segments/stopped/realtime")
        node.next()
        self.server.stop()
        self.assertIn("closed", node.next())
        self.server.start()
