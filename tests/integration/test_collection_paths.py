"""The ways in besides Segment's own: RudderStack's paths, beacons, pixels, event types."""
import json
import urllib.parse

from case import ServerCase

GIF = b"GIF89a"


class Paths(ServerCase):
    def pixel(self, path, **query):
        return self.client.request("GET", f"/pixel/v1/{path}?{urllib.parse.urlencode(query)}",
                                   headers={"Authorization": ""})

    def test_an_import_takes_a_batch(self):
        body = {"batch": [{"type": "track", "userId": "imported", "event": "예약"}]}
        self.client.expect(200, "POST", "/v1/import", body, key=self.key)
        self.assertEqual([event["event"] for event in self.events("imported")], ["예약"])

    def test_a_merge_makes_a_visitor_the_user(self):
        self.client.expect(200, "POST", "/v1/track", {"anonymousId": "방문자", "event": "Seen"},
                           key=self.key)
        wish = {"mergeProperties": [{"type": "userId", "value": "merged"},
                                    {"type": "anonymousId", "value": "방문자"}]}
        answer = self.client.expect(200, "POST", "/v1/merge", wish, key=self.key)
        self.assertNotIn("rejected", answer.json)
        page = self.client.get("/api/v1/users/merged/events",
                               headers={"X-Sonnim-Min-Position": answer.position})
        self.assertEqual([event["event"] for event in page["items"]], ["Seen"])

    def test_a_merge_by_anything_else_is_rejected_singly(self):
        wish = {"mergeProperties": [{"type": "email", "value": "a@example.com"},
                                    {"type": "mobile", "value": "010-1234-5678"}]}
        answer = self.client.expect(200, "POST", "/v1/merge", wish, key=self.key)
        self.assertEqual([item["code"] for item in answer.json["rejected"]], ["UNSUPPORTED_MERGE"])
        batch = {"batch": [{"type": "merge", **wish},
                           {"type": "track", "userId": "m", "event": "e"}]}
        answer = self.client.expect(200, "POST", "/v1/batch", batch, key=self.key)
        self.assertEqual([(item["index"], item["code"]) for item in answer.json["rejected"]],
                         [(0, "UNSUPPORTED_MERGE")])

    def test_a_beacon_brings_its_key_in_the_query(self):
        body = json.dumps({"batch": [{"type": "track", "userId": "beacon", "event": "Left"}]})
        headers = {"Authorization": "", "Content-Type": "text/plain;charset=UTF-8"}
        self.client.expect(200, "POST", f"/beacon/v1/batch?writeKey={self.key}", body.encode(),
                           headers)
        self.assertEqual(len(self.events("beacon")), 1)
        for query in ("", "?writeKey=nobody", "?writeKey="):
            answer = self.client.request("POST", f"/beacon/v1/batch{query}", body.encode(), headers)
            self.refused(answer, 401)

    def test_a_pixel_is_an_event_and_a_picture(self):
        answer = self.pixel("track", writeKey=self.key, userId="pixel", event="메일 열림",
                            messageId="p-1", **{"properties.campaign": "봄", "properties.n": "5",
                                                "context.app.name": "mail", "ignored": "x"})
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "image/gif"))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertTrue(answer.body.startswith(GIF))
        event = self.events("pixel")[0]
        self.assertEqual((event["event"], event["messageId"]), ("메일 열림", "p-1"))
        self.assertEqual(event["properties"], {"campaign": "봄", "n": "5"})
        self.assertEqual(event["context"], {"app": {"name": "mail"}})

    def test_a_pixel_of_a_page_is_a_page(self):
        answer = self.pixel("page", writeKey=self.key, userId="pager", name="첫 화면")
        self.assertEqual(answer.status, 200)
        event = self.events("pager")[0]
        self.assertEqual((event["event"], event["properties"]), ("$page", {"name": "첫 화면"}))

    def test_a_pixel_without_a_known_key_is_401(self):
        self.refused(self.pixel("track", userId="x", event="e"), 401)
        self.refused(self.pixel("track", writeKey="nobody", userId="x", event="e"), 401)

    def test_a_pixel_that_cannot_be_a_message_is_400_with_its_parameter(self):
        self.refused(self.pixel("track", writeKey=self.key, properties="x",
                                **{"properties.a": "y"}), 400, field="properties")
        deep = ".".join("abcdefghijk")
        self.refused(self.pixel("track", writeKey=self.key, **{deep: "y"}), 400)
        many = {f"p{i}": "x" for i in range(50)}
        self.refused(self.pixel("track", writeKey=self.key, **many), 400)

    def test_a_pixel_whose_message_is_rejected_is_a_picture_all_the_same(self):
        answer = self.pixel("track", writeKey=self.key, userId="nameless")
        self.assertEqual((answer.status, answer.body[:6]), (200, GIF))
        self.assertEqual(self.client.request("GET", "/api/v1/users/nameless/events").status, 404)


class EventTypes(ServerCase):
    def single(self, kind, user="typed"):
        return self.client.request("POST", "/api/v1/events/single",
                                   {"userId": user, "eventType": kind, "attributes": {"n": 1}})

    def register(self, name, **more):
        return self.client.request("POST", "/api/v1/event-types", {"name": name, **more})

    def test_a_registered_type_is_taken_from_then_on_and_after_a_restart(self):
        self.refused(self.single("체크인"), 400, "UNKNOWN_EVENT_TYPE")
        answer = self.register("체크인", description="손님이 도착했다")
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual((answer.json["name"], answer.json["event"], answer.json["builtIn"]),
                         ("체크인", "체크인", False))
        self.assertEqual(self.single("체크인").status, 200)
        self.server.stop()
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.assertEqual(self.single("체크인").status, 200)
        self.assertEqual([event["event"] for event in self.events("typed")], ["체크인"] * 2)

    def test_all_types_are_listed_page_by_page(self):
        for name in ("b-type", "a-type"):
            self.assertEqual(self.register(name).status, 201)
        items = self.client.items("/api/v1/event-types", limit=2)
        names = [item["name"] for item in items]
        self.assertEqual(names[:4], ["addToCart", "clicks", "installs", "orders"])
        self.assertLess(names.index("a-type"), names.index("b-type"))
        self.assertEqual({item["name"]: item["event"] for item in items if item["builtIn"]},
                         {"addToCart": "Product Added", "clicks": "Link Clicked",
                          "installs": "Application Installed", "orders": "Order Completed"})

    def test_a_type_is_registered_once(self):
        self.assertEqual(self.register("once").status, 201)
        self.refused(self.register("once"), 409, "CONFLICT", "name")
        self.refused(self.register("orders"), 409, "CONFLICT", "name")

    def test_bad_types_are_refused_with_the_field(self):
        for body, field in (({}, "name"), ({"name": ""}, "name"), ({"name": 5}, "name"),
                            ({"name": "x" * 257}, "name"), ({"name": "$page"}, "name"),
                            ({"name": "x", "description": 5}, "description"),
                            ({"name": "x", "event": "y"}, "event")):
            with self.subTest(body=body):
                self.refused(self.client.request("POST", "/api/v1/event-types", body), 400,
                             "VALIDATION_ERROR", field)

    def test_scopes_hold(self):
        reader, _ = self.client_with("segment.read")
        self.refused(reader.request("POST", "/api/v1/event-types", {"name": "no"}), 403)
        self.assertEqual(reader.request("GET", "/api/v1/event-types").status, 200)
        other, _ = self.client_with("events.write")
        self.refused(other.request("GET", "/api/v1/event-types"), 403)
