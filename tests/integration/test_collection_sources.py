"""How much a source may send and from where, and what it has sent."""
from case import START, ServerCase
from instants import write_instant

ORIGIN = "https://shop.example"


class SourceCase(ServerCase):
    def make(self, **settings):
        return self.client.expect(201, "POST", "/api/v1/sources",
                                  {"name": "가게", **settings}).json

    def put(self, source, **settings):
        return self.client.expect(200, "PUT", f"/api/v1/sources/{source['id']}", settings).json

    def send(self, source, count=1, user="limited", **headers):
        batch = [{"type": "track", "userId": user, "event": "Seen"}] * count
        return self.client.request("POST", "/v1/batch", {"batch": batch}, headers,
                                   key=source["writeKey"])


class Settings(SourceCase):
    def test_a_source_is_unlimited_at_first(self):
        source = self.make()
        self.assertIsNone(source["allowedOrigins"])
        self.assertIsNone(source["rateLimit"])

    def test_settings_that_are_absent_stay(self):
        source = self.make(rateLimit={"eventsPerSecond": 5})
        self.assertEqual(source["rateLimit"], {"eventsPerSecond": 5, "burst": 5})
        source = self.put(source, allowedOrigins=[ORIGIN])
        self.assertEqual(source["rateLimit"], {"eventsPerSecond": 5, "burst": 5})
        source = self.put(source, rateLimit=None, name="다른 이름")
        self.assertEqual((source["name"], source["rateLimit"], source["allowedOrigins"]),
                         ("다른 이름", None, [ORIGIN]))
        self.assertEqual(self.client.get(f"/api/v1/sources/{source['id']}"), source)
        self.assertIn(source, self.client.items("/api/v1/sources"))

    def test_bad_settings_are_refused_with_the_field(self):
        source = self.make()
        for settings, field in (
                ({"name": ""}, "name"), ({"writeKey": "x"}, "writeKey"),
                ({"allowedOrigins": "*"}, "allowedOrigins"),
                ({"allowedOrigins": ["*"]}, "allowedOrigins[0]"),
                ({"allowedOrigins": [ORIGIN, 5]}, "allowedOrigins[1]"),
                ({"allowedOrigins": ["https://shop.example/"]}, "allowedOrigins[0]"),
                ({"allowedOrigins": ["https://Shop.example"]}, "allowedOrigins[0]"),
                ({"allowedOrigins": ["ftp://shop.example"]}, "allowedOrigins[0]"),
                ({"allowedOrigins": ["https://a*.example"]}, "allowedOrigins[0]"),
                ({"allowedOrigins": ["https://"]}, "allowedOrigins[0]"),
                ({"allowedOrigins": [ORIGIN] * 65}, "allowedOrigins"),
                ({"rateLimit": 5}, "rateLimit"), ({"rateLimit": {}}, "rateLimit.eventsPerSecond"),
                ({"rateLimit": {"eventsPerSecond": 0}}, "rateLimit.eventsPerSecond"),
                ({"rateLimit": {"eventsPerSecond": 1.5}}, "rateLimit.eventsPerSecond"),
                ({"rateLimit": {"eventsPerSecond": 5, "burst": 0}}, "rateLimit.burst"),
                ({"rateLimit": {"eventsPerSecond": 5, "x": 1}}, "rateLimit.x")):
            with self.subTest(settings=settings):
                answer = self.client.request("PUT", f"/api/v1/sources/{source['id']}", settings)
                self.refused(answer, 400, "VALIDATION_ERROR", field)
        self.assertEqual(self.client.get(f"/api/v1/sources/{source['id']}"), source)


class Limits(SourceCase):
    def forward(self, seconds):
        Limits.now = getattr(Limits, "now", START) + 1000 * seconds
        self.client.set_clock(self.now)

    def test_what_is_beyond_the_limit_is_429_and_nothing_of_it_is_taken(self):
        source = self.make(rateLimit={"eventsPerSecond": 2, "burst": 10})
        self.forward(100)
        self.assertEqual(self.send(source, 8, "burst").status, 200)
        answer = self.send(source, 5, "burst")
        self.refused(answer, 429, "RATE_LIMITED")
        self.assertEqual(answer.headers.get_all("Retry-After"), ["2"])
        self.assertEqual(self.send(source, 2, "burst").status, 200)
        self.forward(1)
        self.assertEqual(self.send(source, 3, "burst").headers.get_all("Retry-After"), ["1"])
        self.assertEqual(self.send(source, 2, "burst").status, 200)
        self.assertEqual(len(self.events("burst")), 12)

    def test_a_batch_larger_than_the_burst_passes_in_the_end(self):
        source = self.make(rateLimit={"eventsPerSecond": 10})
        self.forward(100)
        self.assertEqual(self.send(source, 100, "large").status, 200)
        self.assertEqual(self.send(source, 100, "large").headers["Retry-After"], "10")
        self.forward(10)
        self.assertEqual(self.send(source, 100, "large").status, 200)

    def test_sources_are_limited_each_by_itself_and_from_the_change_on(self):
        one, other = self.make(rateLimit={"eventsPerSecond": 1}), self.make()
        self.forward(100)
        self.assertEqual([self.send(one).status for _ in range(3)], [200, 429, 429])
        self.assertEqual([self.send(other).status for _ in range(3)], [200] * 3)
        self.put(one, rateLimit=None)
        self.assertEqual([self.send(one).status for _ in range(3)], [200] * 3)
        self.put(other, rateLimit={"eventsPerSecond": 1})
        self.assertEqual([self.send(other).status for _ in range(2)], [200, 429])

    def test_a_limit_holds_after_a_restart(self):
        source = self.make(rateLimit={"eventsPerSecond": 1})
        self.server.stop()
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.assertEqual([self.send(source).status for _ in range(2)], [200, 429])


class Origins(SourceCase):
    def test_pages_of_other_origins_may_not_send(self):
        source = self.make(allowedOrigins=[ORIGIN, "https://*.guest.example"])
        answer = self.send(source, user="origin", Origin=ORIGIN)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers.get_all("Access-Control-Allow-Origin"), [ORIGIN])
        self.assertEqual(answer.headers["Vary"], "Origin")
        self.assertEqual(self.send(source, user="origin", Origin="https://m.guest.example").status,
                         200)
        answer = self.send(source, user="origin", Origin="https://evil.example")
        self.refused(answer, 403, "ORIGIN_NOT_ALLOWED")
        self.assertNotIn("Access-Control-Allow-Origin", answer.headers)
        self.assertEqual(self.send(source, user="origin").status, 200)  # no page: a server
        self.assertEqual(len(self.events("origin")), 3)

    def test_an_empty_list_lets_no_page_send(self):
        source = self.make(allowedOrigins=[])
        self.refused(self.send(source, Origin=ORIGIN), 403, "ORIGIN_NOT_ALLOWED")
        self.assertEqual(self.send(source).status, 200)

    def test_without_a_list_any_origin_may(self):
        answer = self.send(self.make(), Origin="https://any.example")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers.get_all("Access-Control-Allow-Origin"), ["*"])


class Statistics(SourceCase):
    def statistics(self, source, **query):
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return self.client.get(f"/api/v1/sources/{source}/statistics?{text}")

    def test_everything_that_came_is_counted(self):
        source = self.make()
        at = START + 10 * 3_600_000
        self.client.set_clock(at)
        batch = [
            {"type": "track", "userId": "s", "event": "예약", "messageId": "1",
             "timestamp": write_instant(at - 5_000)},
            {"type": "track", "userId": "s", "event": "예약", "messageId": "2",
             "timestamp": write_instant(at - 7_200_000)},
            {"type": "track", "userId": "s"}, {"type": "x"}, {"type": "y", "userId": "s"},
        ]
        answer = self.client.expect(200, "POST", "/v1/batch", {"batch": batch},
                                    key=source["writeKey"])
        self.client.request("POST", "/v1/batch", b"{", key=source["writeKey"])
        self.client.get("/api/v1/users/s/events",
                        headers={"X-Sonnim-Min-Position": answer.position})
        found = self.statistics(source["id"], span="minute")
        self.assertEqual((found["sourceId"], found["span"], found["total"]),
                         (source["id"], "minute", 1))
        item = found["items"][0]
        self.assertEqual(item["from"], write_instant(at))
        self.assertEqual((item["accepted"], item["requests"]), (2, 1))
        self.assertEqual(item["rejected"], {"MISSING_EVENT_NAME": 1, "UNKNOWN_TYPE": 2})
        self.assertEqual(item["refused"], {"INVALID_BODY": 1})
        self.assertGreater(item["bytes"], 200)
        self.assertEqual(item["lag"]["averageMs"], 3_602_500)
        self.assertEqual([bucket["count"] for bucket in item["lag"]["histogram"]],
                         [0, 1, 0, 0, 0, 1, 0])
        item.pop("from")
        self.assertEqual(found["sum"], item)
        metrics = self.client.request("GET", "/metrics").body.decode()
        self.assertRegex(metrics, r'\nsonnim_ingest_lag_seconds_bucket\{le="10"\} [1-9]')
        self.assertRegex(metrics, r'\nsonnim_ingest_refused_total\{reason="INVALID_BODY"\} [1-9]')
        self.assertRegex(metrics, r"\nsonnim_ingest_bytes_total [1-9]")

    def test_duplicates_are_counted_where_they_came_from(self):
        one, other = self.make(), self.make()
        for source in (one, other, other):
            answer = self.client.expect(
                200, "POST", "/v1/track", {"userId": "d", "event": "e", "messageId": "same"},
                key=source["writeKey"])
        self.client.get("/api/v1/users/d/events",
                        headers={"X-Sonnim-Min-Position": answer.position})
        self.assertEqual(self.statistics(one["id"])["sum"]["duplicates"], 0)
        self.assertEqual(self.statistics(other["id"])["sum"]["duplicates"], 2)

    def test_statistics_survive_a_restart_and_a_refused_request_is_among_them(self):
        source = self.make(rateLimit={"eventsPerSecond": 1, "burst": 2},
                           allowedOrigins=[])
        self.send(source, 2, "r")
        self.send(source, 2, "r")
        self.send(source, 1, "r", Origin=ORIGIN)
        self.server.stop()
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        found = self.statistics(source["id"], span="day")
        self.assertEqual(found["sum"]["accepted"], 2)
        self.assertEqual(found["sum"]["refused"], {"ORIGIN": 1, "RATE_LIMITED": 1})

    def test_the_events_API_is_counted_as_a_source_of_its_own(self):
        self.client.expect(200, "POST", "/api/v1/events",
                           [{"userId": "p", "eventType": "clicks"}, {"userId": "p"}])
        found = self.statistics("api")["sum"]
        self.assertGreaterEqual(found["accepted"], 1)
        self.assertGreaterEqual(found["rejected"]["UNKNOWN_EVENT_TYPE"], 1)

    def test_hours_and_days_add_up_minutes_and_are_listed_page_by_page(self):
        source = self.make()
        begin = START + 20 * 86_400_000
        for minute in (0, 1, 60, 1440):
            self.client.set_clock(begin + minute * 60_000)
            self.send(source, 1, "h")
        until = {"to": write_instant(begin + 2 * 86_400_000)}
        hours = self.statistics(source["id"], span="hour", **{"from": write_instant(begin)},
                                **until)
        self.assertEqual([item["accepted"] for item in hours["items"]], [2, 1, 1])
        path = f"/api/v1/sources/{source['id']}/statistics?span=hour&to={until['to']}"
        self.assertEqual(self.client.items(path, limit=2), hours["items"])
        days = self.statistics(source["id"], span="day", **until)
        self.assertEqual([item["accepted"] for item in days["items"]], [3, 1])

    def test_bad_questions_are_refused_with_the_field(self):
        source = self.make()
        path = f"/api/v1/sources/{source['id']}/statistics"
        for query, field in (("span=week", "span"), ("from=yesterday", "from"), ("to=5", "to"),
                             ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
                             ("limit=0", "limit"), ("cursor=x", "cursor")):
            with self.subTest(query=query):
                self.refused(self.client.request("GET", f"{path}?{query}"), 400,
                             "VALIDATION_ERROR", field)
        self.refused(self.client.request("GET", "/api/v1/sources/nobody/statistics"), 404)
        other, _ = self.client_with("segment.read")
        self.refused(other.request("GET", path), 403)
