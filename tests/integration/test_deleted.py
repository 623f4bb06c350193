"""Deleted segments keep their names."""
from case import ServerCase

LEAF = {"event": "Seen", "op": "gte", "value": 1}


class Deleted(ServerCase):
    def changes(self):
        """Every partition's change stream as it was answered, without the answer's instant."""
        path = "/api/v1/changes?after=0&limit=1000&partition="
        return [self.client.get(path + str(partition))["items"] for partition in range(3)]

    def restart(self):
        self.client.close()
        self.server.kill()
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def test_changes_and_histories_are_the_same_after_a_restart(self):
        made = self.make_segment("gone", LEAF)
        for number in range(9):
            self.track(f"u{number}")
        self.assertEqual(len(self.members("gone")), 9)
        self.client.expect(204, "DELETE", "/api/v1/segments/gone")
        # Its key is free: the new one must not lend its id to the old one's changes.
        self.make_segment("gone", {"event": "Seen", "op": "gte", "value": 2})
        self.track("u0")
        self.assertEqual(self.members("gone"), ["u0"])

        changes = self.changes()
        history = self.user("u1", "segments/history")["items"]
        of_deleted = [item for stream in changes for item in stream
                      if item["segmentId"] == made["id"]]
        self.assertEqual([item["segmentKey"] for item in of_deleted],
                         ["gone"] * len(of_deleted))
        self.assertGreaterEqual(len(of_deleted), 18)
        self.restart()
        self.assertEqual(self.changes(), changes)
        self.assertEqual(self.user("u1", "segments/history")["items"], history)
        self.assertEqual([item["key"] for item in self.client.items("/api/v1/segments")], ["gone"])
        self.refused(self.client.request("GET", f"/api/v1/segments/{made['id']}"), 404, "NOT_FOUND")

    def test_what_was_deleted_may_be_followed_by_more_after_a_restart(self):
        self.make_segment("first", LEAF)
        self.client.expect(204, "DELETE", "/api/v1/segments/first")
        self.restart()
        self.make_segment("first", LEAF)
        self.make_segment("second", {"not": {"segment": "first"}})
        self.track("late")
        self.assertEqual((self.members("first").count("late"), self.members("second")), (1, []))
        self.restart()
        self.assertEqual(self.members("first").count("late"), 1)
