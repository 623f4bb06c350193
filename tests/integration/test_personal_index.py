"""E-mail addresses, phones and birthdays can be asked for, and only hashes of them are kept."""
import os
import urllib.parse

from case import START, ServerCase

DAY = 86_400_000
ADDRESS = "Kim.Marked@Example.com"
PHONE = "010-5555-0199"


def trait(name, op, value):
    return {"trait": name, "op": op, "value": value}


class PersonalIndex(ServerCase):
    flags = ("--partitions", "3", "--checkpoint-interval", "1s")

    def identify(self, user, **traits):
        answer = self.client.expect(200, "POST", "/v1/identify",
                                    {"userId": user, "traits": traits}, key=self.key)
        self.after = {"X-Sonnim-Min-Position": answer.position}

    def size(self, expression):
        return self.client.expect(200, "POST", "/api/v1/audience/calculate",
                                  {"expression": expression},
                                  {"Cache-Control": "no-cache", **self.after}).json["audience_size"]

    def search(self, **query):
        path = f"/api/v1/users?{urllib.parse.urlencode(query)}"
        answer = self.client.expect(200, "GET", path, None, self.after).json
        return sorted(one["userId"] for one in answer["items"])

    def members_of(self, key):
        return {row["userId"] for row in self.client.items(f"/api/v1/segments/{key}/members")}

    def test_an_address_is_compared_in_its_normal_form_and_kept_by_nobody(self):
        self.identify("one", email=f"  {ADDRESS} ", phone=PHONE)
        self.identify("two", email="other@example.com")
        self.make_segment("addressed", trait("email", "in", [ADDRESS.upper(), "x@example.org"]))
        self.make_segment("not-addressed", f'trait(email) != "{ADDRESS}" and trait(email) exists')
        self.assertEqual(self.members_of("addressed"), {"one"})
        self.assertIn("two", self.members_of("not-addressed"))
        self.assertNotIn("one", self.members_of("not-addressed"))
        self.assertEqual(self.size(trait("email", "eq", ADDRESS.lower())), 1)
        self.assertEqual(self.size(trait("phone", "eq", "+82 (0)10 5555 0199")), 1)
        self.assertEqual(self.size(trait("phone", "eq", "01055550199")), 1)
        self.assertEqual(self.size(trait("phone", "not_in", ["01055550199"])),
                         self.size({"not": trait("phone", "eq", PHONE)}))
        kept = self.client.expect(200, "GET", "/api/v1/segments/addressed")
        self.assertNotIn("marked", kept.body.decode().lower())
        self.assertRegex(kept.json["expression"]["value"][0], "^blind:[0-9a-f]{32}$")
        again = self.client.expect(200, "PUT", "/api/v1/segments/addressed",
                                   {"expression": kept.json["text"]})
        self.assertEqual(again.json["version"], kept.json["version"])

    def test_the_newest_address_counts_and_none_that_was_taken_away(self):
        self.identify("moved", email="before@example.com")
        self.make_segment("before", trait("email", "eq", "before@example.com"))
        self.assertEqual(self.members_of("before"), {"moved"})
        self.identify("moved", email="after@example.com")
        self.assertEqual(self.search(email="before@example.com"), [])
        self.assertEqual(self.search(email="After@example.com "), ["moved"])
        self.identify("moved", email=None)
        self.assertEqual(self.search(email="after@example.com"), [])
        self.assertEqual(self.members_of("before"), set())

    def test_people_are_found_by_address_and_phone_and_the_search_is_audited_without_them(self):
        self.identify("found-1", email="found@example.com", phone="+1 (212) 555-0100")
        self.identify("found-2", email="FOUND@example.com")
        self.assertEqual(self.search(email="found@example.com"), ["found-1", "found-2"])
        self.assertEqual(self.search(phone="0012125550100"), ["found-1"])
        self.assertEqual(self.search(email="nobody@example.com"), [])
        self.flush_trail()
        records = self.client.expect(200, "GET", "/api/v1/audit?action=user.search")
        self.assertGreater(len(records.json["items"]), 2)
        self.assertNotIn("found@example", records.body.decode().lower())
        limited, _ = self.client_with("user.read", "audience.read")
        self.refused(limited.request("GET", "/api/v1/users?email=found@example.com"), 403)

    def test_nobody_without_pii_read_tries_addresses(self):
        self.identify("tried", email="tried@example.com", phone="+1 212 555 0177")
        limited, _ = self.client_with("segment.read", "segment.write", "audience.read",
                                      "audience.write", "user.read")
        for expression in (trait("email", "eq", "tried@example.com"),
                           {"not": trait("email", "not_in", ["tried@example.com"])},
                           f'trait(plan) exists or trait(phone) = "+12125550177"'):
            body = {"expression": expression}
            named = {"key": "tried", "name": "tried", **body}
            for path, wish in (("/api/v1/segments/preview", body), ("/api/v1/segments", named),
                               ("/api/v1/audience/calculate", body),
                               ("/api/v1/audience/overlap", {"audiences": [body, body]}),
                               ("/api/v1/audiences", {"name": "tried", **body})):
                with self.subTest(path=path, expression=expression):
                    self.refused(limited.request("POST", path, wish), 403)
        # What he was shown tells no address: a definition that names one can be sent again.
        self.make_segment("shown", trait("email", "eq", "tried@example.com"))
        shown = limited.expect(200, "GET", "/api/v1/segments/shown").json["expression"]
        limited.expect(200, "PUT", "/api/v1/segments/shown",
                       {"expression": shown, "description": "theirs"})
        self.refused(limited.request("PUT", "/api/v1/segments/shown", {
            "expression": trait("email", "eq", "tried@example.com")}), 403)

    def test_what_cannot_be_asked_is_refused_by_its_place(self):
        for expression, field in (
                (trait("email", "contains", "@"), "expression.op"),
                (trait("email", "eq", "no address"), "expression.value"),
                ({"not": trait("phone", "in", ["abc"])}, "expression.not.value"),
                (trait("email", "eq", 5), "expression.value"),
                (trait("name", "eq", "Kim"), "expression.op"),
                (trait("birthday", "eq", "1990-01-01"), "expression.op"),
                ("count(Seen where email = \"a@example.com\") >= 1", "expression")):
            answer = self.client.request("POST", "/api/v1/segments",
                                         {"key": "bad", "name": "bad", "expression": expression})
            self.refused(answer, 400, "VALIDATION_ERROR", field)
        for query in ("", "?email=a", "?phone=abc", "?email=a@b.example&phone=0101234567"):
            self.refused(self.client.request("GET", f"/api/v1/users{query}"), 400)
        body = {"expression": "trait(email) exists", "breakdowns": ["birthday.year"]}
        self.refused(self.client.request("POST", "/api/v1/audience/calculate", body), 400)

    def test_birthdays_have_parts_and_an_age_that_moves_at_midnight(self):
        self.identify("leap", birthday="1996-02-29", email="leap@example.com")
        self.identify("young", birthday="2016-03-01T00:00:00+09:00", age_band="50s")
        self.make_segment("thirty", 'trait(age_band) = "30s"')
        self.make_segment("ten", 'trait(age_band) = "10s"')
        self.make_segment("february", "trait(birthday.month) = 2 and trait(birthday.day) >= 28")
        self.assertEqual(self.members_of("february"), {"leap"})
        told = self.client.get("/api/v1/users/leap/explain?segment=february")
        self.assertEqual([(part["value"], part.get("personal"))
                          for part in told["tree"]["operands"]], [(None, True), (None, True)])
        self.assertNotIn("29", told["sentence"]["en"])
        self.assertEqual(self.members_of("thirty"), set())
        self.assertEqual(self.size("trait(birthday.year) < 2000"), 1)
        march = START + 59 * DAY  # 2026-03-01: there is no February 29
        self.client.set_clock(march - 1)
        self.assertEqual(self.members_of("thirty"), set())
        self.assertEqual(self.size('trait(age_band) = "20s"'), 1)
        self.client.set_clock(march)
        self.assertEqual(self.members_of("thirty"), {"leap"})
        self.assertEqual(self.members_of("ten"), {"young"})
        self.assertEqual(self.size('trait(age_band) = "30s"'), 1)
        history = self.client.items("/api/v1/segments/thirty/history")
        self.assertEqual([(row["userId"], row["at"], row["cause"]) for row in history],
                         [("leap", "2026-03-01T00:00:00Z", "expiry")])


class PersonalIndexFiles(ServerCase):
    """What lies on the disk, and what a restart and a merge make of it."""
    flags = ("--partitions", "3", "--checkpoint-interval", "1s")

    def test_indexes_outlive_restart_and_merge_and_lie_nowhere_in_clear(self):
        client, key = self.client, self.key
        for who in ({"userId": "kept"}, {"anonymousId": "visitor"}):
            client.expect(200, "POST", "/v1/identify",
                          {**who, "traits": {"email": f"{list(who.values())[0]}@example.com",
                                             "birthday": "1990-05-06"}}, key=key)
        self.make_segment("kept", 'trait(email) = "kept@example.com"')
        self.make_segment("merged", 'trait(email) = "visitor@example.com" and '
                                    "trait(birthday.month) = 5")
        # Of an address that no definition names.
        client.expect(200, "POST", "/v1/identify",
                      {"userId": "bare", "traits": {"email": "bare@example.com"}}, key=key)
        asked = client.expect(200, "POST", "/api/v1/audience/calculate",
                              {"expression": trait("email", "eq", "bare@example.com")}).json
        self.assertEqual(asked["audience_size"], 1)
        index = asked["expression"]["value"]
        answer = client.expect(200, "POST", "/v1/alias",
                               {"userId": "user", "previousId": "visitor"}, key=key)
        after = {"X-Sonnim-Min-Position": answer.position}
        client.expect(200, "GET", "/api/v1/users/user/profile", None, after)
        self.assertEqual({row["userId"] for row in client.items("/api/v1/segments/merged/members")},
                         {"user"})
        for _ in range(2):
            self.server.stop()
            digits = index.removeprefix("blind:")
            for folder, _, names in os.walk(self.server.data):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as file:
                        self.assertNotIn(digits.encode(), file.read(), name)
            self.server.start()
            client = self.server.client()
            self.addCleanup(client.close)
            for key_, user in (("kept", "kept"), ("merged", "user")):
                rows = client.items(f"/api/v1/segments/{key_}/members")
                self.assertEqual({row["userId"] for row in rows}, {user})
                found = client.get(f"/api/v1/users?email={key_ if user == 'kept' else 'visitor'}"
                                   "@example.com")
                self.assertEqual([row["userId"] for row in found["items"]], [user])
