"""The audit trail: what is recorded, that it is whole, durable and verifiable, and what is refused
without it."""
import json
import unittest

import audit_trail
from case import ServerCase
from server import Client, Server

LEAF = {"event": "Seen", "op": "gte", "value": 1}


class Records(ServerCase):
    def newest(self, action):
        """The newest record of this action: of what is durable before the answer it is there."""
        found = [r for r in audit_trail.chain(self.server.data) if r["action"] == action]
        self.assertTrue(found, action)
        return found[-1]

    def test_a_change_stands_in_the_trail_when_it_is_answered(self):
        answer = self.client.expect(201, "POST", "/api/v1/segments",
                                    {"key": "audited", "name": "n", "expression": LEAF})
        record = self.newest("segment.create")
        self.assertEqual(record["target"], answer.json["id"])
        self.assertEqual(record["status"], 201)
        self.assertEqual(record["ip"], "127.0.0.1")
        self.assertTrue(record["user_id"].startswith("token:"))
        self.assertRegex(record["traceId"], "^[0-9a-f]{32}$")
        self.assertEqual(self.newest("server.start")["user_id"], "system:server")

    def test_a_change_of_permissions_names_who_did_it_and_what(self):
        _, made = self.client_with("segment.read")
        self.assertEqual(self.newest("token.create")["target"], made)
        self.client.expect(204, "DELETE", f"/api/v1/tokens/{made}")
        record = self.newest("token.delete")
        self.assertEqual((record["target"], record["status"]), (made, 204))

    def test_a_query_has_its_filters_and_its_size(self):
        self.track("audited-query")
        answer = self.client.expect(200, "POST", "/api/v1/audience/calculate",
                                    {"filters": {"region": ["제주"], "membership": "VIP"}})
        self.flush()
        record = self.newest("audience.query")
        self.assertEqual(record["filters"], {"region": ["제주"], "membership": "VIP"})
        self.assertEqual(record["result_size"], answer.json["audience_size"])

    def flush(self):
        """Something durable: what was added before is written by then."""
        self.client_with("segment.read")

    def test_personal_values_are_told_of_and_never_told(self):
        self.client.expect(200, "POST", "/v1/identify",
                           {"userId": "kim@example.com", "traits": {"email": "kim@example.com"}},
                           key=self.key)
        self.user("kim@example.com", "profile")
        self.flush()
        record = self.newest("user.read")
        self.assertTrue(record["personal"])
        self.assertRegex(record["target"], r"^profile:\d+-\d+$")
        self.assertNotIn(b"kim@example.com", b"".join(audit_trail.lines(self.server.data)))

    def test_a_profile_without_personal_values_is_no_read_of_them(self):
        self.track("plain-reader")
        reader, _ = self.client_with("user.read")
        before = len([r for r in audit_trail.chain(self.server.data)
                      if r["action"] == "user.read"])
        reader.get("/api/v1/users/plain-reader/profile")
        self.flush()
        after = [r for r in audit_trail.chain(self.server.data) if r["action"] == "user.read"]
        self.assertEqual(len(after), before)

    def test_what_is_refused_is_recorded_too(self):
        reader, token = self.client_with("segment.read")
        reader.request("POST", "/api/v1/segments", {"name": "x", "expression": LEAF})
        self.flush()
        record = self.newest("segment.create")
        self.assertEqual((record["status"], record["user_id"]), (403, f"token:{token}"))

    def test_nobody_fills_the_trail_from_outside(self):
        stranger = Client(self.server.address)
        self.addCleanup(stranger.close)
        for _ in range(400):
            stranger.request("POST", "/api/v1/segments", {})
        self.flush()
        refused = [r for r in audit_trail.chain(self.server.data) if r.get("status") == 401]
        self.assertTrue(0 < len(refused) < 300, len(refused))
        self.assertEqual({r["user_id"] for r in refused}, {None})

    def test_events_are_not_recorded_one_by_one(self):
        before = len(audit_trail.lines(self.server.data))
        for number in range(20):
            self.track(f"collected-{number}")
        self.flush()
        added = audit_trail.lines(self.server.data)[before:]
        self.assertFalse([line for line in added if b"collected" in line])
        self.assertLess(len(added), 10)

    def test_what_a_path_names_is_kept_only_when_it_is_an_id(self):
        self.client.request("DELETE", "/api/v1/segments/01012345678")
        self.client.request("DELETE", "/api/v1/segments/lee@example.com")
        self.flush()
        content = b"".join(audit_trail.lines(self.server.data))
        self.assertNotIn(b"01012345678", content)
        self.assertNotIn(b"lee@example.com", content)


if __name__ == "__main__":
    unittest.main()
