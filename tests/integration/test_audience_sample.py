"""A sample of an audience's members: who they are, with personal values for who may see them."""
import json
import time

from audience import AudienceCase

GUESTS = {
    "김손님": {"name": "김하늘", "email": "하늘@여행.kr", "phone": "010-1234-5678",
             "membership_tier": "VIP", "city": "제주"},
    "b": {"name": "Bora", "email": "bora@email.com", "phone": "+82 10 9876 5432",
          "membership_tier": "VIP", "active_regions": ["제주", "부산"]},
    "c": {"membership_tier": "GOLD"},
}
MASKED = {
    "김손님": {"name": "***", "email": "하***@여행.kr", "phone": "010-****-5678",
             "membership_tier": "VIP", "city": "제주"},
    "b": {"name": "***", "email": "b***@email.com", "phone": "+82 1* **** 5432",
          "membership_tier": "VIP", "active_regions": ["부산", "제주"]},
}


def by_user(sample):
    return {row["userId"]: {name: sorted(value) if isinstance(value, list) else value
                            for name, value in row["traits"].items()} for row in sample}


class Sampled(AudienceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.server.client()
        cls.position = client.expect(200, "POST", "/v1/batch", {"batch": [
            {"type": "identify", "userId": name, "traits": traits}
            for name, traits in GUESTS.items()]}, key=cls.key).position
        client.close()

    def ask(self, client, **body):
        return client.expect(200, "POST", "/api/v1/audience/calculate",
                             {"membership": "VIP", **body},
                             headers={"X-Sonnim-Min-Position": self.position}).json

    def test_personal_values_are_masked_as_in_exports_for_who_may_not_see_them(self):
        reader, _ = self.client_with("audience.read")
        self.assertEqual(by_user(self.ask(reader, sample=10)["sample"]), MASKED)
        exported = self.client.expect(202, "POST", "/api/v1/audience/export", {
            "audience_id": self.ask(self.client)["audience_id"], "format": "jsonl",
            "columns": ["user_id", "name", "email", "phone"]}).json
        job = f"/api/v1/audience/exports/{exported['export_id']}"
        while self.client.get(job)["state"] not in ("done", "failed"):
            time.sleep(0.01)
        path = self.client.get(job)["file_url"].split("/", 3)[3]
        rows = self.client.expect(200, "GET", f"/{path}").body.decode().splitlines()
        self.assertEqual(len(rows), 2)
        for row in map(json.loads, rows):
            masked = MASKED[row["user_id"]]
            self.assertEqual((row["name"], row["email"], row["phone"]),
                             (masked["name"], masked["email"], masked["phone"]))

    def test_who_may_see_personal_values_sees_them_as_they_are(self):
        seeing, _ = self.client_with("audience.read", "pii.read")
        found = by_user(self.ask(seeing, sample=10)["sample"])
        wanted = {name: {key: sorted(value) if isinstance(value, list) else value
                         for key, value in traits.items()}
                  for name, traits in GUESTS.items() if traits["membership_tier"] == "VIP"}
        self.assertEqual(found, wanted)
        reader, _ = self.client_with("audience.read")  # of the same answer, which is kept
        again = self.ask(reader, sample=10)
        self.assertTrue(again["cached"])
        self.assertEqual(by_user(again["sample"]), MASKED)

    def test_a_sample_is_as_long_as_was_asked_and_shows_traits_of_now(self):
        self.assertNotIn("sample", self.ask(self.client))
        self.assertEqual(self.ask(self.client, sample=0)["sample"], [])
        self.assertEqual(len(self.ask(self.client, sample=1)["sample"]), 1)
        everybody = {"expression": {"not": {"trait": "nothing", "op": "exists"}}, "sample": 100}
        found = self.client.expect(200, "POST", "/api/v1/audience/calculate", everybody,
                                   headers={"X-Sonnim-Min-Position": self.position}).json
        self.assertEqual(set(by_user(found["sample"])), set(GUESTS))
        position = self.client.expect(200, "POST", "/v1/identify", {
            "userId": "c", "traits": {"city": "부산"}}, key=self.key).position
        self.client.get("/api/v1/users/c/profile", headers={"X-Sonnim-Min-Position": position})
        found = self.client.expect(200, "POST", "/api/v1/audience/calculate", everybody).json
        self.assertEqual(by_user(found["sample"])["c"], {"membership_tier": "GOLD", "city": "부산"})

    def test_visitors_are_named_by_their_anonymous_id(self):
        self.client.expect(200, "POST", "/v1/track", {"anonymousId": "방문자", "event": "Came"},
                           key=self.key)
        found = self.calculate({"expression": 'count("Came") >= 1', "sample": 5},
                               **{"Cache-Control": "no-cache"})
        self.assertEqual(found["sample"], [{"anonymousId": "방문자", "traits": {}}])
