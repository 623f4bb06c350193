"""The data mart: tables that are made while they are sent."""
import csv
import http.client
import io
import json
import random
import socket
import threading
import time

from case import START, ServerCase

COLUMNS = {
    "dim_users": "user_id,email,name,membership_tier,device_type,active_regions,created_at,"
                 "last_activity",
    "dim_products": "product_id,name,category,region,themes,price_range",
    "dim_properties": "property_id,name,property_type,region,pet_friendly,kids_friendly",
    "fact_user_behavior": "behavior_id,user_id,product_id,event_type,search_keyword,region,"
                          "accommodation_type,has_cart,event_time",
    "fact_bookings": "booking_id,user_id,property_id,amount,check_in,check_out,lead_time_days,"
                     "days_of_week,status,created_at",
}


class Mart(ServerCase):
    def send(self, event, user="u", **properties):
        self.position = self.client.expect(
            200, "POST", "/v1/track",
            {"userId": user, "event": event, "properties": properties}, key=self.key).position

    def identify(self, user, **traits):
        self.position = self.client.expect(200, "POST", "/v1/identify",
                                           {"userId": user, "traits": traits},
                                           key=self.key).position

    def put(self, dimension, row_id, **row):
        self.position = self.client.expect(
            200, "PUT", f"/api/v1/dimensions/{dimension}/{row_id}", row).position

    def rows(self, table, client=None):
        answer = (client or self.client).expect(
            200, "GET", f"/api/v1/mart/{table}",
            headers={"X-Sonnim-Min-Position": self.position})
        self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson")
        return [json.loads(line) for line in answer.body.decode().splitlines()]

    def of(self, table, user):
        return [row for row in self.rows(table) if row["user_id"] == user]

    def test_each_table_has_the_columns_that_were_promised(self):
        self.identify("columns", name="가")
        self.put("products", "columns", name="가")
        self.put("properties", "columns", name="나")
        self.send("Booking Created", user="columns", booking_id="columns")
        for table, columns in COLUMNS.items():
            row = self.rows(table)[0]
            self.assertEqual(",".join(row), columns, table)
            answer = self.client.expect(200, "GET", f"/api/v1/mart/{table}?format=csv")
            self.assertEqual(answer.headers["Content-Type"], "text/csv; charset=utf-8")
            self.assertEqual(answer.body.decode().split("\r\n")[0], columns)
        joined = list(self.rows("user_behavior_mart")[0])
        for columns in COLUMNS.values():
            for column in columns.split(","):
                if column not in ("email", "name", "created_at", "last_activity"):
                    self.assertIn(column, joined)

    def test_users_are_masked_unless_personal_values_may_be_seen(self):
        self.identify("kim", email="kim@email.com", name="김손님", membership_tier="VIP",
                      device_type="ios", active_regions=["제주", "서울"])
        expected = {"user_id": "kim", "email": "kim@email.com", "name": "김손님",
                    "membership_tier": "VIP", "device_type": "ios",
                    "active_regions": ["제주", "서울"], "created_at": "2026-01-01T00:00:00.000Z",
                    "last_activity": None}
        found = self.of("dim_users", "kim")[0]
        self.assertEqual({**found, "created_at": None}, {**expected, "created_at": None})
        reader, _ = self.client_with("user.read")
        masked = [row for row in self.rows("dim_users", reader) if row["user_id"] == "kim"][0]
        self.assertEqual(masked["email"], "k***@email.com")
        self.assertEqual(masked["name"], "***")
        self.assertEqual(masked["membership_tier"], "VIP")

    def test_visitors_are_no_users_and_their_behavior_has_none(self):
        self.position = self.client.expect(
            200, "POST", "/v1/track", {"anonymousId": "visitor", "event": "Products Searched",
                                       "properties": {"query": "방문자의 검색"}},
            key=self.key).position
        found = [row for row in self.rows("fact_user_behavior")
                 if row["search_keyword"] == "방문자의 검색"]
        self.assertEqual([row["user_id"] for row in found], [None])
        self.assertNotIn("visitor", [row["user_id"] for row in self.rows("dim_users")])

    def test_behavior_is_what_events_say_and_what_they_got(self):
        self.put("products", "seen", category="체험", region="제주", themes=["자연"])
        self.send("Product Viewed", user="lee", product_id="seen", accommodation_type="hotel")
        self.send("Product Added", user="lee", product_id="seen")
        self.put("products", "seen", category="숙소", region="서울")
        rows = self.of("fact_user_behavior", "lee")
        self.assertEqual([(row["event_type"], row["region"], row["accommodation_type"],
                           row["has_cart"]) for row in rows],
                         [("Product Viewed", "제주", "hotel", None),
                          ("Product Added", "제주", None, True)])
        self.assertEqual(len({row["behavior_id"] for row in self.rows("fact_user_behavior")}),
                         len(self.rows("fact_user_behavior")))
        self.identify("lee", membership_tier="GOLD")
        joined = self.of("user_behavior_mart", "lee")
        self.assertEqual([(row["behavior_id"], row["membership_tier"], row["category"],
                           row["themes"], row["booking_id"]) for row in joined],
                         [(row["behavior_id"], "GOLD", "체험", ["자연"], None) for row in rows])

    def test_a_booking_is_its_newest_version_and_stays_when_it_is_cancelled(self):
        self.make_segment("spenders", {"event": "Booking Created", "aggregate": "sum",
                                       "property": "$amount", "op": "gte", "value": 100})
        self.put("properties", "island", region="제주")
        self.send("Booking Created", user="park", booking_id=77, property_id="island", amount=150,
                  check_in="2026-02-01", check_out="2026-02-03", lead_time_days=31,
                  days_of_week=["토", "일"])
        first = {"booking_id": "77", "user_id": "park", "property_id": "island", "amount": 150,
                 "check_in": "2026-02-01", "check_out": "2026-02-03", "lead_time_days": 31,
                 "days_of_week": ["토", "일"], "status": "created"}
        found = self.of("fact_bookings", "park")
        created_at = found[0].pop("created_at")
        self.assertEqual(found, [first])
        self.assertEqual(self.members("spenders"), ["park"])
        self.send("Booking Updated", user="park", booking_id="77", amount=80, check_out=None)
        self.assertEqual(self.of("fact_bookings", "park"),
                         [{**first, "amount": 80, "check_out": None, "status": "updated",
                           "created_at": created_at}])
        self.assertEqual(self.members("spenders"), [])
        self.send("Booking Updated", user="park", booking_id="77", amount=200)
        self.assertEqual(self.members("spenders"), ["park"])
        self.send("Booking Cancelled", user="park", booking_id="77")
        self.assertEqual([(row["booking_id"], row["status"])
                          for row in self.of("fact_bookings", "park")], [("77", "cancelled")])
        self.assertEqual(self.members("spenders"), [])
        self.send("Booking Updated", user="choi", booking_id="never made", amount=5)
        self.assertEqual(self.of("fact_bookings", "choi"), [])

    def test_csv_is_read_back_as_it_was(self):
        text = 'a "quoted", 감귤\r\nand a line'
        self.put("products", "csv", name=text, themes=["가", "나,다"], price_range=12.5)
        self.client.get("/api/v1/dimensions/products/csv",
                        headers={"X-Sonnim-Min-Position": self.position})
        for headers, path in (({"Accept": "text/csv"}, ""), ({}, "?format=csv")):
            answer = self.client.expect(200, "GET", f"/api/v1/mart/dim_products{path}",
                                        headers=headers)
            rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
            row = [row for row in rows if row["product_id"] == "csv"][0]
            self.assertEqual((row["name"], json.loads(row["themes"]), row["price_range"],
                              row["category"]), (text, ["가", "나,다"], "12.5", ""))

    def test_what_is_wrong_is_refused(self):
        self.refused(self.client.request("GET", "/api/v1/mart/dim_nobody"), 404)
        self.refused(self.client.request("GET", "/api/v1/mart/dim_users?format=xml"), 400,
                     field="format")
        reader, _ = self.client_with("dimension.read")
        self.refused(reader.request("GET", "/api/v1/mart/dim_users"), 403)


class Streams(ServerCase):
    """Long tables."""
    clock = "wall"
    USERS, EVENTS = 400, 40_000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.server.client()
        for at in range(0, cls.EVENTS, 500):
            batch = [{"type": "track", "userId": f"u{i % cls.USERS}", "event": "Seen",
                      "properties": {"region": f"지역 {i}", "number": i}}
                     for i in range(at, at + 500)]
            cls.position = client.expect(200, "POST", "/v1/batch", {"batch": batch},
                                         key=cls.key).position
        client.get("/api/v1/users/u0/profile", headers={"X-Sonnim-Min-Position": cls.position})
        client.close()

    def open(self, path="/api/v1/mart/fact_user_behavior"):
        host, port = self.server.address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=300)
        connection.request("GET", path, headers={
            "Authorization": f"Bearer {self.client.token}",
            "X-Sonnim-Min-Position": self.position})
        self.addCleanup(connection.close)
        return connection

    def answers(self):
        text = self.client.expect(200, "GET", "/metrics").body.decode()
        return int(next(line.split()[1] for line in text.splitlines()
                        if line.startswith("sonnim_mart_answers ")))

    def wait_answers(self, count):
        deadline = time.monotonic() + 300
        while self.answers() != count:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_a_long_table_is_of_one_position_while_events_come_in(self):
        stop = threading.Event()

        def load():
            client = self.server.client()
            while not stop.is_set():
                client.expect(200, "POST", "/v1/batch", {"batch": [
                    {"type": "track", "userId": f"u{random.randrange(self.USERS)}",
                     "event": "Later", "properties": {}}] * 50}, key=self.key)
            client.close()
        thread = threading.Thread(target=load)
        thread.start()
        try:
            rows = [json.loads(line) for line in self.open().getresponse()]
        finally:
            stop.set()
            thread.join()
        seen = [row for row in rows if row["event_type"] == "Seen"]
        self.assertEqual(len({row["region"] for row in seen}), self.EVENTS)
        self.assertEqual(len(seen), self.EVENTS)
        later = [row["behavior_id"] for row in rows if row["event_type"] == "Later"]
        last = max(row["behavior_id"] for row in rows)
        again = [json.loads(line) for line in self.open().getresponse()]
        self.assertEqual(sorted(later), sorted(
            row["behavior_id"] for row in again
            if row["event_type"] == "Later" and row["behavior_id"] <= last))

    def test_clients_that_go_are_noticed_and_no_more_than_four_are_served_at_once(self):
        self.wait_answers(0)
        opened = []
        for _ in range(4):
            connection = self.open()
            # A small window, so that the answer cannot be sent while nobody reads.
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            opened.append((connection, connection.getresponse()))
        self.assertTrue(all(response.status == 200 for _, response in opened))
        busy = self.open().getresponse()
        if self.answers() == 4:
            self.assertEqual(busy.status, 429)
        for connection, response in opened:
            response.close()
            connection.close()
        busy.close()
        self.wait_answers(0)
        self.assertEqual(self.open().getresponse().status, 200)
