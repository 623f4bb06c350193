"""Consent by purpose and channel: recorded by API and SDKs, asked in expressions, kept with its
history, and enforced where members leave."""
import time

from test_audience_export import ExportCase


class Consent(ExportCase):
    clock = "wall"

    def put(self, user, *decisions):
        return self.client.expect(200, "PUT", f"/api/v1/users/{user}/consents",
                                  {"consents": list(decisions)}).json

    def post(self, path, **message):
        answer = self.client.expect(200, "POST", path, message, key=self.key)
        self.client.get("/api/v1/segments", headers={"X-Sonnim-Min-Position": answer.position})
        return answer

    def size(self, expression):
        return self.client.expect(200, "POST", "/api/v1/audience/calculate",
                                  {"expression": expression},
                                  {"Cache-Control": "no-cache"}).json["audience_size"]

    def test_a_decision_is_recorded_with_its_history_and_proof(self):
        proof = "Yes, send me news by e-mail. " * 5
        at = time.strftime("%Y-%m-%dT09:00:00Z", time.gmtime(time.time() - 20 * 86_400))
        self.put("agreed", {"purpose": "marketing", "channel": "email", "granted": True,
                            "at": at, "source": "sign-up", "proof": proof})
        told = self.put("agreed", {"purpose": "marketing", "channel": "email", "granted": False},
                        {"purpose": "research", "granted": True})
        items = {(one["purpose"], one["channel"]): one["granted"] for one in told["items"]}
        self.assertEqual(items, {("marketing", "email"): False, ("research", None): True})
        self.assertEqual(len(told["history"]), 3)
        first = told["history"][-1]
        self.assertEqual(first["at"], at)
        self.assertEqual(first["decision"], {"purpose": "marketing", "channel": "email",
                                             "granted": True, "source": "sign-up", "proof": proof})
        limited, _ = self.client_with("user.read")
        seen = limited.get("/api/v1/users/agreed/consents")
        self.assertNotIn("proof", seen["history"][-1]["decision"])
        self.assertEqual(self.size('trait(consent.marketing.email) = false and '
                                   'count("Consent Changed" where granted = true) >= 2'), 1)

    def test_wrong_decisions_are_refused_by_their_place(self):
        for body, field in (
                ({}, "consents"), ({"consents": []}, "consents"),
                ({"consents": [{"granted": True}]}, "consents[0].purpose"),
                ({"consents": [{"purpose": "a", "granted": True},
                               {"purpose": "b.c", "granted": True}]}, "consents[1].purpose"),
                ({"consents": [{"purpose": "a"}]}, "consents[0].granted"),
                ({"consents": [{"purpose": "a", "granted": True, "x": 1}]}, "consents[0].x"),
                ({"consents": [{"purpose": "a", "granted": True, "at": "x"}]}, "consents[0].at")):
            answer = self.client.request("PUT", "/api/v1/users/agreed/consents", body)
            self.refused(answer, 400, "VALIDATION_ERROR", field)

    def test_sdks_tell_of_categories(self):
        consent = {"consent": {"categoryPreferences": {"Advertising": True, "Analytics": False,
                                                       "not a.name": True, "Functional": "x"}}}
        self.post("/v1/identify", userId="by-sdk", traits={"plan": "pro"}, context=consent)
        self.assertEqual(self.size("trait(consent.Advertising) = true and "
                                   "trait(consent.Analytics) = false and "
                                   "trait(consent.Functional) absent"), 1)
        consent["consent"]["categoryPreferences"] = {"Advertising": False}
        self.post("/v1/track", userId="by-sdk", event="Segment Consent Preference Updated",
                  context=consent)
        self.assertEqual(self.size("trait(consent.Advertising) = false and trait(plan) exists"), 1)
        self.post("/v1/track", userId="by-sdk", event="Seen", context={
            "consent": {"categoryPreferences": {"Advertising": True}}})
        self.assertEqual(self.size("trait(consent.Advertising) = true"), 0)

    def fill(self):
        batch = [{"type": "identify", "userId": f"c{i}", "traits": {"tier": "VIP", **traits}}
                 for i, traits in enumerate((
                     {}, {"consent.marketing.email": True}, {"consent.marketing": False},
                     {"marketing_consent": ["email", "sms"]}, {"marketing_consent": []},
                     {"consent.marketing": True, "consent.marketing.email": False}))]
        self.post("/v1/batch", batch=batch)
        return self.calculate('trait(tier) = "VIP"')

    def users(self, export):
        lines = self.fetch(export).body.decode().splitlines()
        return sorted(line.split(",")[0] for line in lines[1:])

    def test_who_has_not_agreed_is_left_out_of_an_export_that_asks_for_it(self):
        audience = self.fill()
        for consent, users in ((None, ["c0", "c1", "c2", "c3", "c4", "c5"]),
                               ("marketing", ["c1", "c3", "c5"]),
                               ("marketing.email", ["c1", "c3"]), ("marketing.sms", ["c3", "c5"]),
                               ("research", [])):
            done = self.ended(self.export(audience, columns=["user_id"], consent=consent))
            self.assertEqual(self.users(done), users, consent)
            self.assertEqual(done["rows"], len(users))
            self.assertEqual(done["without_consent"], None if consent is None else 6 - len(users))
        wrong = self.client.request("POST", "/api/v1/audience/export",
                                    {"audience_id": audience, "consent": "a.b.c"})
        self.refused(wrong, 400, "VALIDATION_ERROR", "consent")

    def test_a_marketing_platform_gets_who_has_agreed_unless_it_is_told_otherwise(self):
        audience = self.fill()
        for rest, count in (({"consent": ""}, 3), ({"consent": "marketing.email"}, 2),
                            ({"consent": "none"}, 6)):
            platform = self.make_platform(**rest)
            done = self.ended(self.export(audience, destination="braze"))
            self.assertEqual(platform.told[-1][2]["users"], count)
            self.assertEqual(done["without_consent"], None if count == 6 else 6 - count)
            self.client.expect(204, "DELETE", "/api/v1/destinations/braze")
        wrong = {"name": "w", "kind": "marketing_platform", "url": "https://p.example",
                 "consent": "a.b.c"}
        self.refused(self.client.request("POST", "/api/v1/destinations", wrong), 400,
                     "VALIDATION_ERROR", "consent")
