"""Cursors of the change stream: everything comes, in order, over restarts too."""
import time

from case import START, ServerCase

DAY = 86_400_000


class Consumers(ServerCase):
    def read(self, **query):
        return self.client.get("/api/v1/changes?" + "&".join(
            f"{name}={value}" for name, value in query.items()))

    def put(self, name, cursor=None):
        return self.client.expect(200, "PUT", f"/api/v1/consumers/{name}",
                                  {"cursor": cursor}).json

    def events(self, count, name="e"):
        batch = [{"type": "track", "userId": f"{name}{i}", "event": "Seen"} for i in range(count)]
        return self.client.expect(200, "POST", "/v1/batch", {"batch": batch}, key=self.key)

    def every_change(self):
        """As they are, partition by partition."""
        found = []
        for partition in range(3):
            after = 0
            while after is not None:
                page = self.read(partition=partition, after=after, limit=7)
                found += page["items"]
                after = page["next"]
        return found

    def test_a_cursor_meets_every_change_once_and_in_order(self):
        self.make_segment("seen", {"event": "Seen", "op": "gte", "value": 1})
        position = self.events(50).position
        self.client.get("/api/v1/changes?partition=0&limit=1",
                        headers={"X-Sonnim-Min-Position": position})
        cursor, found = "", []
        while True:
            page = self.read(cursor=cursor, limit=9)
            cursor = page["next"]
            if not page["items"]:
                break
            found += page["items"]
        self.assertEqual(page["left"], 0)
        expected = self.every_change()
        self.assertEqual(len(found), page["total"])
        self.assertEqual(sorted(map(str, found)), sorted(map(str, expected)))
        for partition in range(3):
            mine = [row["id"] for row in found if row["id"].startswith(f"{partition}-")]
            self.assertEqual(mine, [row["id"] for row in expected
                                    if row["id"].startswith(f"{partition}-")])
        self.events(5, "later")
        page = self.read(cursor=cursor)
        self.assertTrue(all(row["userId"].startswith("later") for row in page["items"]))

    def test_a_consumer_goes_on_after_kill_9_from_what_it_confirmed(self):
        self.events(20, "k")
        consumer = self.put("mailer")
        self.assertEqual(consumer["cursor"], "")
        page = self.read(consumer="mailer", limit=10)
        self.assertEqual(len(page["items"]), 10)
        again = self.read(consumer="mailer", limit=10)
        self.assertEqual(again["items"], page["items"])
        self.put("mailer", page["next"])
        rest = self.read(consumer="mailer", limit=1000)
        self.server.kill()
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        after = self.read(consumer="mailer", limit=1000)
        self.assertEqual(after["items"][:len(rest["items"])], rest["items"])
        listed = self.client.get("/api/v1/consumers")["items"]
        self.assertEqual([row["name"] for row in listed], ["mailer"])
        self.assertEqual(listed[0]["lag"], after["left"] + len(after["items"]))
        metrics = self.client.request("GET", "/metrics").body.decode()
        self.assertIn(f'sonnim_consumer_lag_changes{{consumer="mailer"}} {listed[0]["lag"]}',
                      metrics)
        self.put("mailer", after["next"])
        self.assertEqual(self.client.get("/api/v1/consumers/mailer")["lag"], after["left"])
        self.client.expect(204, "DELETE", "/api/v1/consumers/mailer")
        self.refused(self.client.request("GET", "/api/v1/consumers/mailer"), 404)

    def test_what_is_wrong_is_refused_by_name(self):
        ask = self.client.request
        self.refused(ask("PUT", "/api/v1/consumers/a%20b", {}), 400, "VALIDATION_ERROR", "name")
        self.refused(ask("PUT", "/api/v1/consumers/x", {"cursor": "nonsense"}), 400,
                     "VALIDATION_ERROR", "cursor")
        self.refused(ask("PUT", "/api/v1/consumers/x", {"position": 1}), 400, "VALIDATION_ERROR",
                     "position")
        members = self.client.get("/api/v1/segments?limit=1")["next"]
        if members:
            self.refused(ask("GET", f"/api/v1/changes?cursor={members}"), 400,
                         "VALIDATION_ERROR", "cursor")
        self.refused(ask("GET", "/api/v1/changes?consumer=nobody"), 404)
        self.refused(ask("GET", "/api/v1/changes?consumer=x&cursor="), 400, "VALIDATION_ERROR",
                     "cursor")


class DeletedJournal(ServerCase):
    """The change stream has files of its own: whoever is behind needs no journal."""
    flags = ("--partitions", "2", "--journal-file-bytes", "1MiB", "--journal-retention", "1d",
             "--checkpoint-interval", "10ms", "--events-tail", "64KiB")

    def fill_a_day(self, number):
        self.client.set_clock(START + number * DAY)
        for i in range(4):
            self.client.expect(200, "POST", "/v1/batch", {"batch": [
                {"type": "track", "userId": f"d{number}-{i}-{j}", "event": "Seen",
                 "messageId": f"m{number}-{i}-{j}", "properties": {"filler": "x" * 2000}}
                for j in range(100)]}, key=self.key)

    def first_position(self):
        return self.client.get("/health/ready")["parts"]["journal"]["firstPosition"]

    def test_a_consumer_that_is_behind_a_deleted_journal_misses_nothing(self):
        self.make_segment("seen", {"event": "Seen", "within": "1h", "op": "gte", "value": 1})
        self.client.expect(200, "PUT", "/api/v1/consumers/slow", {"cursor": None})
        number, deadline = 0, time.monotonic() + 300
        while self.first_position() <= 1:
            self.assertLess(time.monotonic(), deadline)
            number += 1
            self.fill_a_day(number)
        self.server.kill()
        self.server.start()
        client = self.server.client()
        self.addCleanup(client.close)
        found = set()
        while True:
            page = client.get("/api/v1/changes?consumer=slow&limit=1000")
            if not page["items"]:
                break
            found |= {(row["userId"], row["change"]) for row in page["items"]
                      if row.get("segmentId")}
            client.expect(200, "PUT", "/api/v1/consumers/slow", {"cursor": page["next"]})
        users = {f"d{n}-{i}-{j}" for n in range(1, number + 1)
                 for i in range(4) for j in range(100)}
        self.assertEqual({who for who, change in found if change == "entered"}, users)
        # Which event it was is known from the stored events.
        page = client.get("/api/v1/changes?cursor=&limit=50")
        self.assertTrue(all("messageId" in row for row in page["items"]
                            if row["cause"] == "event"))
