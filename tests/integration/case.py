"""What test cases share: one server for all tests of a class, and short ways to ask it."""
import unittest
import urllib.parse

from server import Client, Server, free_port

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z


class ServerCase(unittest.TestCase):
    flags = ("--partitions", "3")
    clock = "manual"
    stays = False  # at its address, over restarts
    server = None

    @classmethod
    def setUpClass(cls):
        address = f"127.0.0.1:{free_port() if cls.stays else 0}"
        cls.server = Server(*cls.flags, clock=cls.clock, address=address)
        cls.addClassCleanup(cls._end)
        cls.server.start()
        cls.key = cls.server.make_key()
        if cls.clock == "manual":
            client = cls.server.client()
            client.set_clock(START)
            client.close()

    @classmethod
    def _end(cls):
        try:
            if cls.server.process is not None and cls.server.process.poll() is None:
                cls.server.stop()
        finally:
            cls.server.__exit__(Exception, None, None)

    def setUp(self):
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def client_with(self, *scopes):
        """A client whose token has these scopes only."""
        answer = self.client.expect(201, "POST", "/api/v1/tokens",
                                    {"name": "test", "scopes": list(scopes)})
        client = Client(self.server.address, answer.json["token"])
        self.addCleanup(client.close)
        return client, answer.json["id"]

    def flush_trail(self):
        """What was recorded before stands in the audit trail: a change is answered behind that."""
        self.client_with("segment.read")

    def track(self, user, **message):
        return self.client.expect(200, "POST", "/v1/track",
                                  {"userId": user, "event": "Seen", **message}, key=self.key)

    def written(self):
        """Headers of a read that sees what the client has written."""
        position = self.client.position
        return {} if position is None else {"X-Sonnim-Min-Position": position}

    def user(self, name, what):
        return self.client.get(f"/api/v1/users/{urllib.parse.quote(name, safe='')}/{what}",
                               headers=self.written())

    def events(self, name):
        return self.user(name, "events?limit=1000")["items"]

    def make_segment(self, key, expression, live=True):
        answer = self.client.expect(201, "POST", "/api/v1/segments",
                                    {"key": key, "name": key, "expression": expression})
        if live:
            self.client.wait_live(key)
        return answer.json

    def members(self, key):
        return sorted(item.get("userId") or item["anonymousId"]
                      for item in self.client.items(f"/api/v1/segments/{key}/members",
                                                    headers=self.written()))

    def refused(self, answer, status, code=None, field=None):
        """An error in the form of the contract."""
        self.assertEqual(answer.status, status, answer)
        error = answer.json["error"]
        self.assertEqual(set(error), {"code", "message", "details", "timestamp", "traceId"})
        self.assertTrue(error["message"] and error["traceId"])
        if code is not None:
            self.assertEqual(error["code"], code, answer)
        if field is not None:
            self.assertEqual(error["details"].get("field"), field, answer)
        return error
