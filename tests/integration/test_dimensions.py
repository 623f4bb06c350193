"""Products and properties: rows that events name, and what events get from them."""
import gzip
import json
import random
import subprocess
import time
import unittest
import urllib.parse

from case import START, ServerCase
from test_backup import Place, wait_archived, wait_idle, wait_job
from transfer import import_rows, rejected_rows, start_import
from transfer import wait_job as wait_ended

TRIP = {"event": "Product Viewed", "where": {"property": "category", "op": "eq", "value": "체험"},
        "op": "gte", "value": 1}
PETS = {"event": "Booking Created", "where": {"property": "pet_friendly", "op": "eq",
                                              "value": True}, "op": "gte", "value": 1}
SPENT = {"event": "Booking Created", "aggregate": "sum", "property": "$amount",
         "where": {"property": "region", "op": "eq", "value": "제주"}, "op": "gte", "value": 100}


class Dimensions(ServerCase):
    now = START
    flags = ("--partitions", "3", "--checkpoint-interval", "100ms")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.server.client()
        for key, expression in (("trip", TRIP), ("pets", PETS), ("spent", SPENT)):
            client.expect(201, "POST", "/api/v1/segments",
                          {"key": key, "name": key, "expression": expression})
            client.wait_live(key)
        client.close()

    def put(self, dimension, row_id, **row):
        answer = self.client.expect(200, "PUT", f"/api/v1/dimensions/{dimension}/{row_id}", row)
        self.position = answer.position
        return answer.json

    def send(self, user, event, **properties):
        answer = self.client.expect(200, "POST", "/v1/track",
                                    {"userId": user, "event": event, "properties": properties},
                                    key=self.key)
        self.position = answer.position

    def after(self, path):
        return self.client.get(path, headers={"X-Sonnim-Min-Position": self.position})

    def segments(self, user):
        return sorted(item["segmentKey"]
                      for item in self.after(f"/api/v1/users/{user}/segments")["items"])

    def properties(self, user):
        """Of all events, oldest first."""
        return [event["properties"]
                for event in reversed(self.after(f"/api/v1/users/{user}/events")["items"])]

    def test_an_event_gets_the_fields_of_the_row_that_it_names_and_its_own_come_first(self):
        self.put("products", "own", name="감귤", category="체험", region="제주",
                 themes=["가족", "자연"], price_range=30000)
        self.send("own", "Product Viewed", product_id="own", region="부산", name=None)
        self.assertEqual(self.properties("own"),
                         [{"product_id": "own", "region": "부산", "name": None, "category": "체험",
                           "themes": ["가족", "자연"], "price_range": 30000}])
        self.assertEqual(self.segments("own"), ["trip"])

    def test_later_versions_change_no_earlier_event(self):
        self.put("products", "later", category="체험")
        self.send("later-1", "Product Viewed", product_id="later")
        self.put("products", "later", category="숙소")
        self.send("later-2", "Product Viewed", product_id="later")
        self.client.expect(204, "DELETE", "/api/v1/dimensions/products/later")
        self.send("later-3", "Product Viewed", product_id="later")
        self.assertEqual([self.properties(f"later-{i}")[0].get("category") for i in (1, 2, 3)],
                         ["체험", "숙소", None])
        self.assertEqual([self.segments(f"later-{i}") for i in (1, 2, 3)], [["trip"], [], []])

    def test_a_definition_sees_what_earlier_events_got(self):
        self.put("products", "before", category="온천")
        self.send("before", "Product Viewed", product_id="before")
        self.put("products", "before", category="바다")
        self.make_segment("spa", {**TRIP, "where": {"property": "category", "op": "eq",
                                                    "value": "온천"}})
        self.assertEqual(self.members("spa"), ["before"])

    def test_ids_are_strings_or_numbers_and_a_number_is_its_shortest_text(self):
        self.client.expect(200, "POST", "/api/v1/dimensions/products",
                           [{"product_id": 17, "category": "체험"},
                            {"product_id": "1.5", "category": "체험"}])
        for user, product in (("n1", "17"), ("n2", 17), ("n3", 17.0), ("n4", 1.5)):
            self.send(user, "Product Viewed", product_id=product)
            self.assertEqual(self.segments(user), ["trip"], product)
        for user, product in (("n5", "17.0"), ("n6", True), ("n7", ""), ("n8", ["17"])):
            self.send(user, "Product Viewed", product_id=product)
            self.assertEqual(self.segments(user), [], product)

    def test_a_product_comes_before_a_property_of_the_same_event(self):
        self.put("products", "both", name="상품", region="제주")
        self.put("properties", "both", name="숙소", region="서울", property_type="펜션",
                 pet_friendly=False)
        self.send("both", "Booking Created", product_id="both", property_id="both")
        self.assertEqual(self.properties("both"),
                         [{"product_id": "both", "property_id": "both", "name": "상품",
                           "region": "제주", "property_type": "펜션", "pet_friendly": False}])

    def test_corrections_of_enriched_bookings_move_segments_at_once(self):
        self.put("properties", "island", region="제주", pet_friendly=True)
        self.put("properties", "city", region="서울", pet_friendly=False)
        self.send("guest", "Booking Created", booking_id="b1", property_id="island", amount=150)
        self.assertEqual(self.segments("guest"), ["pets", "spent"])
        self.send("guest", "Booking Updated", booking_id="b1", property_id="city")
        self.assertEqual(self.segments("guest"), [])
        self.send("guest", "Booking Updated", booking_id="b1", property_id="island")
        self.assertEqual(self.segments("guest"), ["pets", "spent"])
        self.send("guest", "Booking Updated", booking_id="b1", amount=50)
        self.assertEqual(self.segments("guest"), ["pets"])
        self.send("guest", "Booking Cancelled", booking_id="b1")
        self.assertEqual(self.segments("guest"), [])

    def test_a_merge_takes_events_along_as_they_are(self):
        self.put("products", "visit", category="체험")
        self.client.expect(200, "POST", "/v1/track",
                           {"anonymousId": "visitor", "event": "Product Viewed",
                            "properties": {"product_id": "visit"}}, key=self.key)
        self.put("products", "visit", category="숙소")
        self.position = self.client.expect(
            200, "POST", "/v1/identify", {"userId": "visit", "anonymousId": "visitor"},
            key=self.key).position
        self.assertEqual(self.segments("visit"), ["trip"])

    def test_rows_are_listed_in_the_order_in_which_they_first_came(self):
        self.client.expect(200, "POST", "/api/v1/dimensions/properties",
                           {"rows": [{"property_id": f"list-{i}", "name": "가"} for i in range(25)]})
        self.position = self.client.expect(
            200, "PUT", "/api/v1/dimensions/properties/list-3", {"name": "나"}).position
        self.position = self.client.expect(
            204, "DELETE", "/api/v1/dimensions/properties/list-7").position
        self.after("/api/v1/dimensions/properties/list-3")
        rows = [row for row in self.client.items("/api/v1/dimensions/properties", limit=4)
                if row["property_id"].startswith("list-")]
        self.assertEqual([row["property_id"] for row in rows],
                         [f"list-{i}" for i in range(25) if i != 7])
        self.assertEqual(rows[3], {"property_id": "list-3", "name": "나", "property_type": None,
                                   "region": None, "pet_friendly": None, "kids_friendly": None})
        listed = self.client.items("/api/v1/dimensions/properties")
        self.assertEqual(self.client.get("/api/v1/dimensions/properties")["total"], len(listed))

    def test_wrong_rows_are_refused_by_field_and_none_of_a_batch_is_taken(self):
        path = "/api/v1/dimensions/products"
        for body, field in (({"product_id": "x", "colour": "red"}, "colour"),
                            ({"themes": "가족"}, "themes"),
                            ({"themes": ["가족", 1]}, "themes[1]"),
                            ({"price_range": True}, "price_range"),
                            ({"name": "가" * 400}, "name"),
                            ({"name": 5}, "name"),
                            ({"pet_friendly": True}, "pet_friendly"),
                            ({"product_id": "y"}, "product_id")):
            self.refused(self.client.request("PUT", path + "/x", body), 400, "VALIDATION_ERROR",
                         field)
        self.refused(self.client.request("PUT", "/api/v1/dimensions/properties/x",
                                         {"kids_friendly": "yes"}), 400, field="kids_friendly")
        good = {"product_id": "batch", "name": "가"}
        for rows, field in (([good, {"name": "나"}], "rows[1].product_id"),
                            ([good, {"product_id": "", "name": "나"}], "rows[1].product_id"),
                            ([good, {"product_id": "z", "name": []}], "rows[1].name"),
                            ([good, 5], "rows[1]"),
                            ([good] * 1001, "rows"),
                            ({"row": []}, "row"), ({"rows": good}, "rows"), (5, "rows")):
            self.refused(self.client.request("POST", path, rows), 400, "VALIDATION_ERROR", field)
        self.refused(self.client.request("GET", path + "/batch"), 404)
        self.refused(self.client.request("DELETE", path + "/batch"), 404)
        self.refused(self.client.request("GET", "/api/v1/dimensions/users"), 404)

    def test_scopes_are_needed(self):
        reader, _ = self.client_with("dimension.read")
        self.refused(reader.request("PUT", "/api/v1/dimensions/products/s", {}), 403)
        self.assertEqual(reader.request("GET", "/api/v1/dimensions/products").status, 200)
        writer, _ = self.client_with("dimension.write")
        self.assertEqual(writer.request("PUT", "/api/v1/dimensions/products/s", {}).status, 200)
        self.refused(writer.request("GET", "/api/v1/dimensions/products"), 403)


class Imports(ServerCase):
    PRODUCTS = "/api/v1/dimensions/products"

    def row(self, path, position):
        return self.client.get(path, headers={"X-Sonnim-Min-Position": position})

    def test_rows_of_csv_become_rows_by_their_columns_or_the_mapping(self):
        text = ("code,name,themes,price_range,color\nc-1,감귤 따기,\"가족,자연\",30000,red\n"
                "c-2,,,,blue\n")
        mapping = {"dimension": "products", "map": {"product_id": "code"},
                   "set": {"region": "제주"}}
        zstd = subprocess.run(["zstd", "-c"], input=text.encode(), capture_output=True,
                              check=True).stdout
        for data in (text.encode(), gzip.compress(text.encode()), zstd):
            result = import_rows(self.client, data, mapping)
            self.assertEqual((result["rows"], result["accepted"], result["rejected"],
                              result["ignoredColumns"]), (2, 2, 0, "color"))
        self.client.expect(200, "PUT", self.PRODUCTS + "/behind", {})
        rows = {row["product_id"]: row for row in self.client.items(self.PRODUCTS)}
        self.assertEqual(rows["c-1"], {"product_id": "c-1", "name": "감귤 따기", "category": None,
                                       "region": "제주", "themes": ["가족", "자연"],
                                       "price_range": 30000})
        self.assertEqual((rows["c-2"]["name"], rows["c-2"]["region"]), (None, "제주"))

    def test_rows_of_json_lines_are_rows_and_bad_ones_are_kept_with_the_reason(self):
        lines = [{"property_id": 1, "property_type": "펜션", "pet_friendly": True},
                 {"property_type": "펜션"},
                 {"property_id": "2", "pet_friendly": "yes"},
                 {"property_id": "3", "colour": "red"},
                 {"property_id": "4", "name": "나"}]
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n{\n"
        job = start_import(self.client, text.encode(), {"dimension": "properties"},
                           name="rows.jsonl")
        result = wait_ended(self.client, job)["result"]
        self.assertEqual((result["rows"], result["accepted"], result["rejected"]), (6, 2, 4))
        self.assertEqual([(row["line"], row["code"], row["reason"])
                          for row in rejected_rows(self.client, job)][:3],
                         [(2, "INVALID_ROW", "property_id: It is missing"),
                          (3, "INVALID_ROW", "pet_friendly: It must be true or false"),
                          (4, "INVALID_ROW", "colour: properties have no such field")])
        rows = {row["property_id"]: row["property_type"]
                for row in self.client.items("/api/v1/dimensions/properties")}
        self.assertEqual(rows, {"1": "펜션", "4": None})

    def test_a_dry_run_takes_nothing_and_many_rows_come_in_batches(self):
        text = "product_id,category\n" + "".join(f"m-{i},종류 {i % 7}\n" for i in range(20_000))
        mapping = {"dimension": "products"}
        result = import_rows(self.client, text.encode(), mapping, dryRun="true")
        self.assertEqual((result["accepted"], result["dryRun"]), (20_000, True))
        self.refused(self.client.request("GET", self.PRODUCTS + "/m-1"), 404)
        result = import_rows(self.client, text.encode(), mapping)
        self.assertEqual(result["accepted"], 20_000)
        position = self.client.expect(200, "PUT", self.PRODUCTS + "/m-last", {}).position
        self.assertEqual(self.row(self.PRODUCTS + "/m-19999", position)["category"], "종류 0")
        listed = [row for row in self.client.items(self.PRODUCTS)
                  if row["product_id"].startswith("m-")]
        self.assertEqual(len(listed), 20_001)

    def test_what_is_wrong_with_the_mapping_is_refused_and_a_scope_is_needed(self):
        path = "/api/v1/imports?name=a.csv&mapping="
        for mapping, field in (({"dimension": "users"}, "mapping.dimension"),
                               ({"dimension": "products", "type": "track"}, "mapping.dimension"),
                               ({"dimension": "products", "map": {"userId": "a"}}, "mapping.map")):
            answer = self.client.request("POST", path + urllib.parse.quote(json.dumps(mapping)),
                                         b"a\n1\n")
            self.assertEqual((answer.status, answer.field.endswith(field)), (400, True), answer)
        client, _ = self.client_with("events.write", "job.read")
        good = urllib.parse.quote(json.dumps({"dimension": "products"}))
        self.refused(client.request("POST", path + good, b"product_id\n1\n"), 403)


class Restarts(ServerCase):
    flags = ("--partitions", "4", "--checkpoint-interval", "50ms")
    clock = "wall"

    def state(self, users):
        rows = self.client.items("/api/v1/dimensions/products")
        events = {user: self.events(user) for user in users}
        history = self.client.items("/api/v1/segments/even/history")
        return rows, events, self.members("even"), history

    def test_kill_and_restart_keep_rows_and_what_events_got(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        print(f"seed {seed}")
        users = [f"u{i}" for i in range(12)]
        self.make_segment("even", {"event": "Product Viewed", "op": "gte", "value": 3,
                                   "where": {"property": "category", "op": "eq", "value": "c0"}})
        for user in users:
            self.track(user)
        for _ in range(5):
            position = None
            for _ in range(60):
                product = f"p{chance.randrange(8)}"
                if chance.random() < 0.3:
                    position = self.client.expect(
                        200, "POST", "/api/v1/dimensions/products",
                        [{"product_id": product, "category": f"c{chance.randrange(3)}"}]).position
                else:
                    position = self.client.expect(
                        200, "POST", "/v1/track",
                        {"userId": chance.choice(users), "event": "Product Viewed",
                         "properties": {"product_id": product}}, key=self.key).position
            self.client.get("/api/v1/dimensions/products",
                            headers={"X-Sonnim-Min-Position": position})
            time.sleep(chance.random() * 0.3)
            for user in users:
                self.client.request("GET", f"/api/v1/users/{user}/segments",
                                    headers={"X-Sonnim-Min-Position": position})
            before = self.state(users)
            self.client.close()
            if chance.random() < 0.5:
                self.server.kill()
            else:
                self.server.stop()
            self.server.start()
            self.client = self.server.client()
            self.assertEqual(self.state(users), before, f"seed {seed}")


class Backups(unittest.TestCase):
    def test_a_restore_has_the_rows_and_what_events_got(self):
        place = Place()
        self.addCleanup(place.close)
        client = place.start()
        client.set_clock(START)
        key = place.server.make_key()
        rows = "/api/v1/dimensions/products"

        def happen(begin):
            for i in range(begin, begin + 200):
                client.expect(200, "POST", rows, [{"product_id": i % 50, "category": f"c{i}"}])
                answer = client.expect(200, "POST", "/v1/track",
                                       {"userId": f"u{i % 7}", "event": "Product Viewed",
                                        "properties": {"product_id": i % 60}}, key=key)
            client.get(rows, headers={"X-Sonnim-Min-Position": answer.position})

        def state(asked):
            return (asked.items(rows),
                    [asked.get(f"/api/v1/users/u{i}/events?limit=1000")["items"]
                     for i in range(7)])

        happen(0)
        wait_idle(client)
        wait_job(client, client.expect(200, "POST", "/api/v1/backups").json)
        happen(200)
        before = state(client)
        wait_archived(client)
        client.close()
        place.server.kill()
        with place.restore() as restored:
            asked = restored.client()
            self.assertEqual(state(asked), before)
            asked.expect(200, "PUT", rows + "/1", {"category": "restored"})
            asked.close()
