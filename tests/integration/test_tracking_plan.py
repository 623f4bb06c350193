"""What a source sends is checked against its tracking plan: reported or rejected, coerced where it
can be; which types came is watched of every source, with a plan or without."""
import json
import os
import pathlib
import subprocess
import tempfile
import urllib.parse

from case import START, ServerCase
from server import SONNIM, Server
from transfer import import_rows, rejected_rows, start_import, wait_job

ORDER = {"name": "주문 완료", "properties": [
    {"name": "revenue", "type": "number", "required": True},
    {"name": "nights", "type": "integer"},
    {"name": "배송.방법", "type": "string", "enum": ["택배", "퀵"]},
    {"name": "paid", "type": "boolean"},
    {"name": "themes", "type": "string_set"},
    {"name": "check_in", "type": "time"}]}


class PlanCase(ServerCase):
    def make(self, plan=None):
        source = self.client.expect(201, "POST", "/api/v1/sources", {"name": "가게"}).json
        if plan is not None:
            self.put(source, plan)
        return source

    def path(self, source, what, **query):
        path = f"/api/v1/sources/{source['id']}/{what}"
        return f"{path}?{urllib.parse.urlencode(query)}" if query else path

    def put(self, source, plan, status=200, **headers):
        return self.client.expect(status, "PUT", self.path(source, "tracking-plan"), plan,
                                  headers={name.replace("_", "-"): value
                                           for name, value in headers.items()})

    def send(self, source, *messages, path="/v1/batch"):
        body = {"batch": list(messages)} if path == "/v1/batch" else messages[0]
        return self.client.expect(200, "POST", path, body, key=source["writeKey"])

    def order(self, user="u", **properties):
        return {"type": "track", "userId": user, "event": "주문 완료", "properties": properties}

    def violations(self, source):
        return {(item["event"], item["property"], item["kind"]): item["count"]
                for item in self.client.get(self.path(source, "violations"))["items"]}

    def types(self, source, **query):
        found = self.client.get(self.path(source, "types", **query))["items"]
        return {(item["event"], item["property"]): {each["type"]: each["count"]
                                                    for each in item["types"]}
                for item in found}

    def command(self, *arguments):
        done = subprocess.run([SONNIM, "source", *arguments],
                              env={**os.environ, "SONNIM_TOKEN": self.server.token,
                                   "SONNIM_URL": f"http://{self.server.address}"},
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def letters(self, source):
        return self.client.get(self.path(source, "dead-letters"))["items"]

    def properties_of(self, user, answer):
        items = self.client.get(f"/api/v1/users/{urllib.parse.quote(user)}/events",
                                headers={"X-Sonnim-Min-Position": answer.position})["items"]
        return [item["properties"] for item in items]

    def metric(self, name):
        text = self.client.expect(200, "GET", "/metrics").body.decode()
        return next(int(line.split()[1]) for line in text.splitlines()
                    if line.startswith(name + " "))


class Definition(PlanCase):
    def test_a_plan_is_kept_with_its_version_and_changed_under_a_condition(self):
        source = self.make()
        self.client.expect(404, "GET", self.path(source, "tracking-plan"))
        answer = self.put(source, {"events": [ORDER]})
        self.assertEqual((answer.json["version"], answer.headers["ETag"]), (1, '"1"'))
        self.assertEqual(answer.json["plan"], {"events": [ORDER]})
        self.assertEqual(self.put(source, {"events": [ORDER]}).json["version"], 1)
        self.assertEqual(self.put(source, {"events": []}, If_Match='"1"').json["version"], 2)
        self.put(source, {}, 412, If_Match='"1"')
        self.put(source, {}, 400, If_Match="1")
        self.client.expect(412, "DELETE", self.path(source, "tracking-plan"),
                           headers={"If-Match": '"1"'})
        self.client.expect(204, "DELETE", self.path(source, "tracking-plan"))
        self.client.expect(404, "GET", self.path(source, "tracking-plan"))
        self.client.expect(404, "DELETE", self.path(source, "tracking-plan"))
        self.assertEqual(self.put(source, {}).json["version"], 4)

    def test_what_is_wrong_with_a_plan_is_named_with_its_path(self):
        source = self.make()
        for plan, field in (
                ({"events": [{"name": "A", "properties": [{"name": "수", "type": "numeric"}]}]},
                 "events[0].properties[0].type"),
                ({"events": [ORDER, {"name": "주문 완료"}]}, "events[1].name"),
                ({"unplannedEvents": "refused"}, "unplannedEvents"),
                ({"violations": "allowed"}, "violations"),
                ({"traits": [{"name": "나이", "type": "integer", "enum": [1, 1.5]}]},
                 "traits[0].enum[1]"),
                ({"event": []}, "event"),
                ({"events": {}}, "events")):
            with self.subTest(field=field):
                answer = self.put(source, plan, 400)
                self.assertEqual((answer.code, answer.field), ("VALIDATION_ERROR", field))
        self.client.expect(404, "GET", self.path(source, "tracking-plan"))

    def test_only_who_may_change_sources_sees_and_changes_plans(self):
        source = self.make({"events": [ORDER]})
        stranger, _ = self.client_with("segment.read", "user.read", "events.write")
        allowed, _ = self.client_with("source.write")
        for method, what in (("GET", "tracking-plan"), ("PUT", "tracking-plan"),
                             ("GET", "violations"), ("DELETE", "violations"), ("GET", "types"),
                             ("DELETE", "types"), ("DELETE", "tracking-plan")):
            body = {} if method == "PUT" else None
            stranger.expect(403, method, self.path(source, what), body)
            self.assertLess(allowed.request(method, self.path(source, what), body).status, 300)
        self.client.expect(404, "GET", "/api/v1/sources/none/types")


    def test_commands_set_and_show_plan_violations_and_types(self):
        source = self.make()
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "plan.json"
            file.write_text(json.dumps({"events": [ORDER]}))
            shown = self.command("set-plan", source["id"], str(file), "--json")
        self.assertEqual(json.loads(shown)["plan"], {"events": [ORDER]})
        self.assertIn("주문 완료", self.command("plan", source["id"]))
        self.send(source, self.order(nights=[1]))
        self.assertRegex(self.command("violations", source["id"]),
                         r"주문 완료 +nights +wrong_type +1 ")
        self.assertRegex(self.command("types", source["id"]), r"주문 완료 +nights +1 ")
        self.command("delete-plan", source["id"])
        self.client.expect(404, "GET", self.path(source, "tracking-plan"))


class Checks(PlanCase):
    def test_what_is_rejected_is_told_with_its_reason_and_sent_again_once_the_plan_allows_it(self):
        source = self.make({"violations": "rejected", "events": [ORDER]})
        answer = self.send(source, self.order("손님", revenue=1), self.order("손님"),
                           {**self.order("손님", revenue="비밀이다"), "messageId": "m-1"})
        self.assertEqual(
            [(row["index"], row["code"], row["message"]) for row in answer.json["rejected"]],
            [(1, "PLAN_VIOLATION", 'event "주문 완료": property "revenue" is missing'),
             (2, "PLAN_VIOLATION",
              'event "주문 완료": property "revenue" must be a number, a string came')])
        letters = {letter["place"]: letter for letter in self.letters(source)}
        self.assertEqual(sorted(letters),
                         ["batch[1].properties.revenue", "batch[2].properties.revenue"])
        letter = letters["batch[2].properties.revenue"]
        self.assertEqual((letter["code"], letter["message"]),
                         ("PLAN_VIOLATION", answer.json["rejected"][1]["message"]))

        replay = self.path(source, "dead-letters") + "/replay"
        self.assertEqual(self.client.expect(200, "POST", replay, {}).json["rejected"], 2)
        self.assertEqual([row["replays"] for row in self.letters(source)], [1, 1])
        self.assertEqual({row["message"] for row in self.letters(source)},
                         {row["message"] for row in answer.json["rejected"]})
        self.put(source, {"events": [{"name": "주문 완료", "properties": [
            {"name": "revenue", "type": "any"}]}]})
        again = self.client.expect(200, "POST", replay, {})
        self.assertEqual((again.json["replayed"], again.json["rejected"]), (2, 0))
        self.assertEqual(self.letters(source), [])
        self.assertCountEqual(self.properties_of("손님", again),
                              [{"revenue": 1}, {}, {"revenue": "비밀이다"}])

    def test_what_is_reported_is_taken_and_counted(self):
        source = self.make({"unplannedEvents": "reported", "additionalProperties": "reported",
                            "traits": [{"name": "나이", "type": "integer"}],
                            "events": [ORDER]})
        answer = self.send(
            source, {**self.order("리", revenue=[], color="빨강"), "messageId": "m-7"},
            {"type": "track", "userId": "리", "event": "장바구니"},
            {"type": "page", "userId": "리", "name": "집"},
            {"type": "identify", "userId": "리", "traits": {"나이": "많음", "동네": "제주"}},
            self.order("리", revenue=2, 배송={"방법": "드론"}))
        self.assertEqual(answer.json, {"success": True})
        self.assertEqual(self.violations(source), {
            ("주문 완료", "revenue", "wrong_type"): 1,
            ("주문 완료", "color", "unplanned_property"): 1,
            ("장바구니", None, "unplanned_event"): 1,
            ("$identify", "나이", "wrong_type"): 1,
            ("주문 완료", "배송.방법", "value_not_allowed"): 1})
        rows = self.client.get(self.path(source, "violations"))
        sample = next(row for row in rows["items"] if row["property"] == "revenue")
        self.assertEqual((rows["beyond"], sample["messageId"]), (0, "m-7"))
        counts = self.client.get(self.path(source, "statistics"))["sum"]
        self.assertEqual((counts["accepted"], counts["violations"]), (5, 4))
        self.assertEqual(self.violations(source), self.violations(source))
        self.client.expect(204, "DELETE", self.path(source, "violations"))
        self.assertEqual(self.violations(source), {})

    def test_a_declared_type_is_what_is_stored(self):
        source = self.make({"events": [ORDER]})
        answer = self.send(source, self.order(
            "형", revenue="12.5", nights="3", paid="true", themes="바다", check_in=START),
            path="/v1/batch")
        self.assertEqual(self.properties_of("형", answer), [
            {"revenue": 12.5, "nights": 3, "paid": True, "themes": ["바다"],
             "check_in": "2026-01-01T00:00:00Z"}])
        self.assertEqual(self.violations(source), {})
        single = {"userId": "아우", "event": "주문 완료", "properties": {"revenue": "7"}}
        answer = self.send(source, single, path="/v1/track")
        self.assertEqual(self.properties_of("아우", answer), [{"revenue": 7}])

    def test_the_events_api_has_a_plan_of_its_own(self):
        api = {"id": "api"}
        self.put(api, {"violations": "rejected", "events": [
            {"name": "orders", "properties": [{"name": "revenue", "type": "number"}]}]})
        self.addCleanup(self.client.request, "DELETE", self.path(api, "tracking-plan"))
        wish = {"userId": "api-u", "eventType": "orders", "attributes": {"revenue": "many"}}
        answer = self.client.expect(400, "POST", "/api/v1/events/single", wish)
        self.assertEqual((answer.code, answer.field), ("PLAN_VIOLATION", "attributes.revenue"))
        self.assertIn('event "Order Completed": property "revenue"',
                      answer.json["error"]["message"])
        answer = self.client.expect(200, "POST", "/api/v1/events",
                                    [wish, {**wish, "attributes": {"revenue": "5"}}])
        self.assertEqual([row["index"] for row in answer.json["rejected"]], [0])
        self.assertEqual(self.properties_of("api-u", answer), [{"revenue": 5}])

    def test_rows_of_an_import_into_a_source_go_through_its_plan(self):
        source = self.make({"violations": "rejected", "events": [ORDER]})
        mapping = {"map": {"userId": "who", "properties.revenue": "revenue:string"},
                   "set": {"event": "주문 완료"}}
        rows = "who,revenue\n행,12.5\n행,많음\n".encode()
        dry = import_rows(self.client, rows, mapping, source=source["id"], dryRun="true")
        self.assertEqual((dry["accepted"], dry["rejected"]), (1, 1))
        self.assertEqual(self.types(source), {})
        self.assertEqual(self.violations(source), {})
        job = start_import(self.client, rows, mapping, source=source["id"])
        wait_job(self.client, job)
        self.assertEqual([(row["line"], row["code"], row["reason"])
                          for row in rejected_rows(self.client, job)],
                         [(3, "PLAN_VIOLATION", 'event "주문 완료": property "revenue" must be a '
                           'number, a string came')])
        self.assertEqual([event["properties"] for event in self.events("행")], [{"revenue": 12.5}])
        self.assertEqual(self.types(source)["주문 완료", "revenue"], {"number": 1})

    def test_the_debugger_says_what_goes_against_the_plan(self):
        source = self.make({"events": [ORDER]})
        self.client.get(self.path(source, "debug"))
        self.send(source, self.order(), self.order(revenue=1))
        events = self.client.get(self.path(source, "debug"))["items"]
        self.assertCountEqual([(item["place"], item["verdict"], item["violations"])
                               for item in events],
                              [("batch[0]", "accepted",
                                [{"kind": "missing_property", "property": "revenue", "message":
                                  'event "주문 완료": property "revenue" is missing'}]),
                               ("batch[1]", "accepted", [])])


class Types(PlanCase):
    def test_a_property_whose_type_drifts_is_found_without_a_plan(self):
        source = self.make()
        before = self.metric("sonnim_observed_drifted")
        for i in range(3):
            self.send(source, self.order(price=i, 색=["빨강"], where={"x": 1.5}))
        self.assertEqual(self.types(source, drifted="true"), {})
        self.send(source, self.order(price="3", 색=[], where={"x": None}),
                  {"type": "identify", "userId": "u", "traits": {"email": "a@b.kr", "나이": 3}})
        self.assertEqual(self.types(source, drifted="true"),
                         {("주문 완료", "price"): {"number": 3, "string": 1}})
        self.assertEqual(self.types(source), {
            ("$identify", None): {}, ("$identify", "email"): {"string": 1},
            ("$identify", "나이"): {"number": 1}, ("주문 완료", None): {},
            ("주문 완료", "price"): {"number": 3, "string": 1},
            ("주문 완료", "where"): {"object": 4}, ("주문 완료", "where.x"): {"number": 3},
            ("주문 완료", "색"): {"string_set": 3}})
        row = next(row for row in self.client.get(self.path(source, "types"))["items"]
                   if row["property"] == "price")
        self.assertEqual((row["count"], row["drifted"], row["driftedAt"]),
                         (4, True, row["types"][1]["firstSeen"]))
        self.assertEqual(self.metric("sonnim_observed_drifted"), before + 1)
        self.client.expect(204, "DELETE", self.path(source, "types"))
        self.assertEqual(self.metric("sonnim_observed_drifted"), before)
        self.send(source, self.order(price="4"))
        self.assertEqual(self.types(source), {("주문 완료", None): {},
                                              ("주문 완료", "price"): {"string": 1}})

    def test_pages_of_types_are_complete_and_in_order(self):
        source = self.make()
        self.send(source, self.order(**{f"p{i:02}": i for i in range(25)}))
        whole = self.client.get(self.path(source, "types"))
        first = self.client.get(self.path(source, "types", limit=20))
        rest = self.client.get(self.path(source, "types", limit=20, cursor=first["next"]))
        self.assertEqual(first["items"] + rest["items"], whole["items"])
        self.assertEqual((whole["total"], first["total"], rest["next"]), (26, 26, None))
        self.client.expect(400, "GET", self.path(source, "types", drifted="yes"))

    def test_names_that_may_be_personal_are_not_shown(self):
        source = self.make({"additionalProperties": "reported", "events": [ORDER]})
        self.send(source, self.order(revenue=1, **{"a@b.kr": 1, "가" * 50: 2}))
        text = json.dumps([self.client.get(self.path(source, what))
                           for what in ("types", "violations")], ensure_ascii=False)
        self.assertNotIn("a@b.kr", text)
        self.assertNotIn("가가", text)
        self.assertEqual(self.violations(source)["주문 완료", "***", "unplanned_property"], 2)


class Restart(PlanCase):
    def test_plan_violations_and_types_are_there_after_a_restart(self):
        with Server("--partitions", "3") as server:
            self.client = server.client()
            self.client.set_clock(START)
            source = self.make({"events": [ORDER]})
            self.send(source, self.order(revenue=True), self.order(revenue=2))
            before = [self.client.get(self.path(source, what))["items"]
                      for what in ("violations", "types")]
            self.client.close()
            server.stop()
            server.start()
            self.client = server.client()
            self.assertEqual([self.client.get(self.path(source, what))["items"]
                              for what in ("violations", "types")], before)
            self.assertEqual(self.client.get(self.path(source, "tracking-plan"))["version"], 1)
            self.send(source, self.order(revenue=True))
            self.assertEqual(self.violations(source), {("주문 완료", "revenue", "wrong_type"): 2})
            self.assertEqual(self.types(source)["주문 완료", "revenue"],
                             {"boolean": 2, "number": 1})
            self.client.expect(204, "DELETE", f"/api/v1/sources/{source['id']}")
            self.client.expect(404, "GET", self.path(source, "types"))
            self.client.close()
            server.stop()
