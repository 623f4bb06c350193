"""What a workspace calls personal, free text or plain, from then on and over restarts."""
from case import ServerCase

CLASSES = [{"place": "traits", "name": "nickname", "class": "personal"},
           {"place": "properties", "name": "review", "class": "free_text"},
           {"place": "properties", "name": "skus", "class": "plain"},
           {"place": "context", "name": "screen.name", "class": "personal"}]
LONG = "sku-" + "0123456789" * 10


class Classification(ServerCase):
    def put(self, classes, **headers):
        return self.client.request("PUT", "/api/v1/classification", {"classes": classes}, headers)

    def send(self, user):
        self.client.expect(200, "POST", "/v1/identify", {
            "userId": user, "traits": {"nickname": "Nick", "plan": "pro"}}, key=self.key)
        return self.track(user, properties={
            "review": {"text": "So so", "stars": 3}, "skus": LONG, "revenue": 5},
            context={"screen": {"name": "Cart", "width": 3}}).position

    def seen(self, user):
        client, _ = self.client_with("user.read", "audience.read")
        traits = client.get(f"/api/v1/users/{user}/profile")["attributes"]
        return traits, client.get(f"/api/v1/users/{user}/events")["items"][0]

    def test_a_class_holds_from_then_on_and_over_a_restart(self):
        before = self.send("before")
        changed = self.put(CLASSES)
        self.assertEqual(changed.status, 200, changed)
        self.assertEqual(changed.json["version"], 1)
        after = self.send("after")
        self.client.get("/api/v1/segments", headers={"X-Sonnim-Min-Position": after or before})
        traits, event = self.seen("before")
        self.assertEqual(traits, {"nickname": "Nick", "plan": "pro"})
        self.assertEqual(event["properties"], {"review": {"text": "So so", "stars": 3},
                                               "revenue": 5})
        traits, event = self.seen("after")
        self.assertEqual(traits, {"plan": "pro"})
        self.assertEqual(event["properties"], {"skus": LONG, "revenue": 5})
        self.assertEqual(event["context"]["screen"], {"name": None, "width": 3})
        whole = self.client.get("/api/v1/users/after/events")["items"][0]
        self.assertEqual(whole["properties"]["review"], {"text": "So so", "stars": 3})
        self.assertEqual(whole["context"]["screen"]["name"], "Cart")
        self.assertEqual(self.client.get("/api/v1/users/after/profile")["attributes"]["nickname"],
                         "Nick")

        for expression in ('trait(nickname) = "Nick"',
                           'count(Seen where review.text contains "so") >= 1',
                           'count(Seen where context.screen.name = "Cart") >= 1'):
            for path, body in (("/api/v1/audience/calculate", {}), ("/api/v1/segments/preview", {}),
                               ("/api/v1/segments", {"key": "k", "name": "k"})):
                answer = self.client.request("POST", path, {**body, "expression": expression})
                self.refused(answer, 400, "VALIDATION_ERROR", "expression")
        found = self.client.expect(200, "POST", "/api/v1/audience/calculate", {
            "expression": f'trait(nickname) exists and count(Seen where skus = "{LONG}") >= 1'})
        self.assertEqual(found.json["audience_size"], 1)

        self.server.stop()
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        kept = self.client.get("/api/v1/classification")
        self.assertEqual((kept["version"], kept["classes"]), (1, CLASSES))
        self.send("restarted")
        self.assertEqual(self.seen("restarted")[0], {"plan": "pro"})
        stale = self.put([], **{"If-Match": '"7"'})
        self.refused(stale, 412)
        self.assertEqual(self.put([]).json["version"], 2)
        self.send("plain-again")
        self.assertEqual(self.seen("plain-again")[0], {"nickname": "Nick", "plan": "pro"})
        # What was sealed stays sealed.
        self.assertEqual(self.seen("after")[0], {"plan": "pro"})

    FREED = [{"place": "traits", "name": "address", "class": "not_personal"},
             {"place": "traits", "name": "address.street", "class": "personal"},
             {"place": "properties", "name": "email", "class": "not_personal"},
             {"place": "context", "name": "ip", "class": "not_personal"}]

    def live(self, user):
        self.client.expect(200, "POST", "/v1/identify", {
            "userId": user, "traits": {"address": {"city": "제주", "street": LONG},
                                       "email": "a@example.com"}}, key=self.key)
        position = self.track(user, properties={"email": "shop@example.com"},
                              context={"ip": "192.0.2.7"}).position
        self.client.get("/api/v1/segments", headers={"X-Sonnim-Min-Position": position})

    def test_a_name_of_the_list_is_freed_from_then_on_for_who_says_so(self):
        compares = ('trait(address.city) = "제주" and '
                    'count(Seen where email = "shop@example.com" and context.ip exists) >= 1 and '
                    'count(Seen where context.ip = "192.0.2.7") >= 1')
        ask = {"expression": compares}
        self.live("sealed")
        self.refused(self.client.request("POST", "/api/v1/audience/calculate", ask), 400)
        answer = self.put(self.FREED)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([row["field"] for row in answer.json["warnings"]],
                         ["classes[0]", "classes[2]", "classes[3]"])
        record = self.client.get("/api/v1/audit?action=classification.update")["items"][0]
        self.assertEqual(record["target"],
                         "not_personal:traits.address,properties.email,context.ip")
        self.live("freed")
        self.assertEqual(self.seen("sealed")[0], {})
        traits, event = self.seen("freed")
        self.assertEqual(traits, {"address": {"city": "제주", "street": None}})
        self.assertEqual(event["properties"], {"email": "shop@example.com"})
        self.assertEqual(event["context"]["ip"], "192.0.2.7")
        found = self.client.expect(200, "POST", "/api/v1/audience/calculate", ask)
        self.assertEqual(found.json["audience_size"], 1)
        self.client.expect(201, "POST", "/api/v1/segments", {"key": "freed", "name": "f", **ask})
        self.client.wait_live("freed")
        saved = self.client.expect(201, "POST", "/api/v1/audiences", {
            "name": "freed", **ask}).json
        # What is there goes on when the word is taken back; new definitions are refused.
        self.assertEqual(self.put([]).json["warnings"], [])
        self.refused(self.client.request("POST", "/api/v1/audience/calculate", ask), 400)
        self.live("sealed-again")
        self.server.kill()
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.client.wait_live("freed")
        self.assertEqual(self.client.get("/api/v1/segments/freed")["text"], compares)
        members = self.client.get("/api/v1/segments/freed/members")["items"]
        self.assertEqual([row["userId"] for row in members], ["freed"])
        self.assertEqual(self.client.get(f"/api/v1/audiences/{saved['id']}")["name"], "freed")
        self.assertEqual(self.seen("sealed-again")[0], {})
        told = self.client.get("/api/v1/users/freed/explain?segment=freed")
        self.assertTrue(told["member"])

    def test_mistakes_are_named_and_what_is_personal_stays_so(self):
        for rule, field in (({"place": "traits", "name": "email", "class": "plain"}, "name"),
                            ({"place": "traits", "name": "address.city", "class": "plain"}, "name"),
                            ({"place": "traits", "name": "email", "class": "not_personal"},
                             "name"),
                            ({"place": "traits", "name": "address.city", "class": "not_personal"},
                             "name"),
                            ({"place": "traits", "name": "plan", "class": "not_personal"}, "name"),
                            ({"place": "here", "name": "a", "class": "plain"}, "place"),
                            ({"place": "traits", "name": "", "class": "plain"}, "name"),
                            ({"place": "traits", "name": "a", "class": "secret"}, "class")):
            self.refused(self.put([CLASSES[0], rule]), 400, "VALIDATION_ERROR",
                         f"classes[1].{field}")
        self.refused(self.put([CLASSES[0], CLASSES[0]]), 400, "VALIDATION_ERROR", "classes[1].name")
        self.refused(self.put("no"), 400, "VALIDATION_ERROR", "classes")
        self.assertIn({"place": "traits", "name": "email", "class": "personal"},
                      self.client.get("/api/v1/classification")["defaults"])
