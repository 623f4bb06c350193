"""A year of a shop's real orders through `sonnim import`; who is in which segment is worked out
independently, in SQL from the raw order lines, amounts as whole thousandths."""
import csv
import io
import json
import sqlite3
import subprocess
import unittest
from decimal import Decimal

from server import ROOT, SONNIM, Server

END = "2026-01-31T12:00:00Z"
END_MS = 1_769_860_800_000
DAY = 86_400_000
ORDERS = ROOT / "examples" / "online_retail_2009_2010.csv.zst"

INVOICES = """
CREATE TABLE invoices AS
SELECT invoice, customer, substr(invoice, 1, 1) = 'C' AS refund, sum(quantity * price) AS net,
       country, min(1000 * strftime('%s', at)) AS t
FROM lines WHERE customer <> '' GROUP BY invoice"""

# Segment, SQL for the customers at :now. `net` is negative for refunds.
SEGMENTS = {
    "regulars": (
        {"event": "Order Completed", "within": "30d", "op": "gte", "value": 3},
        """SELECT customer FROM invoices WHERE NOT refund AND t > :now - 30 * :day AND t <= :now
           GROUP BY customer HAVING count(*) >= 3"""),
    "often-in-a-year": (
        {"event": "Order Completed", "within": "365d", "op": "gt", "value": 10},
        """SELECT customer FROM invoices WHERE NOT refund AND t > :now - 365 * :day AND t <= :now
           GROUP BY customer HAVING count(*) > 10"""),
    "big-spenders": (
        {"event": "Order Completed", "aggregate": "sum", "property": "revenue", "within": "90d",
         "op": "gte", "value": 1000},
        """SELECT customer FROM invoices WHERE NOT refund AND t > :now - 90 * :day AND t <= :now
           GROUP BY customer HAVING sum(net) >= 1000000"""),
    "net-spenders": (
        {"event": "*", "aggregate": "sum", "property": "net", "within": "180d", "op": "gte",
         "value": 750.5},
        """SELECT customer FROM invoices WHERE t > :now - 180 * :day AND t <= :now
           GROUP BY customer HAVING sum(net) >= 750500"""),
    "gave-back-more": (
        {"event": "*", "aggregate": "sum", "property": "net", "op": "lt", "value": 0},
        """SELECT customer FROM invoices WHERE t <= :now GROUP BY customer HAVING sum(net) < 0"""),
    "even": (
        {"event": "*", "aggregate": "sum", "property": "net", "within": "60d", "op": "eq",
         "value": 0},
        """SELECT DISTINCT customer FROM invoices WHERE customer NOT IN
           (SELECT customer FROM invoices WHERE t > :now - 60 * :day AND t <= :now
            GROUP BY customer HAVING sum(net) <> 0)"""),
    "returners": (
        {"event": "Order Refunded", "aggregate": "sum", "property": "$amount", "within": "52w",
         "op": "gt", "value": 100},
        """SELECT customer FROM invoices WHERE refund AND t > :now - 364 * :day AND t <= :now
           GROUP BY customer HAVING sum(-net) > 100000"""),
    "lapsed": (
        {"and": [{"event": "Order Completed", "within": "365d", "op": "gte", "value": 1},
                 {"event": "Order Completed", "within": "90d", "op": "eq", "value": 0}]},
        """SELECT customer FROM invoices WHERE NOT refund AND t > :now - 365 * :day AND t <= :now
           GROUP BY customer HAVING max(t) <= :now - 90 * :day"""),
    "continental": (
        {"event": "Order Completed", "within": "270d", "op": "in", "value": [2, 3, 5],
         "where": {"and": [{"property": "country", "op": "in", "value": ["Germany", "France"]},
                           {"property": "revenue", "op": "gte", "value": 200.25}]}},
        """SELECT customer FROM invoices WHERE NOT refund AND t > :now - 270 * :day AND t <= :now
           AND country IN ('Germany', 'France') AND net >= 200250
           GROUP BY customer HAVING count(*) IN (2, 3, 5)"""),
    "best": (
        {"and": [{"segment": "big-spenders"}, {"segment": "regulars"},
                 {"not": {"segment": "returners"}}]}, None),
}


def raw_lines():
    text = subprocess.run(["zstd", "-dc", str(ORDERS)], stdout=subprocess.PIPE, check=True).stdout
    for row in csv.DictReader(io.StringIO(text.decode("utf-8"), newline="")):
        yield (row["invoice"], row["customer_id"], int(row["quantity"]),
               int(Decimal(row["price"]) * 1000), row["country"], row["invoice_date"])


def database():
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE lines (invoice, customer, quantity, price, country, at)")
    db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", raw_lines())
    db.execute(INVOICES)
    db.execute("UPDATE invoices SET t = t + ? - (SELECT max(t) FROM invoices)", (END_MS,))
    return db


def events_file(path):
    """The example's events, each with `net`: what refunds subtract."""
    program = subprocess.run([str(ROOT / "examples" / "online_retail_events.py"), "--end", END],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    with open(path, "w", encoding="utf-8") as file:
        for line in program.stdout.decode("utf-8").splitlines():
            event = json.loads(line)
            properties = event["properties"]
            properties["net"] = -properties["total"] if "total" in properties \
                else properties["revenue"]
            properties.pop("products")
            file.write(json.dumps(event, ensure_ascii=False) + "\n")


class KnownAnswers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = database()
        cls.server = Server()
        cls.addClassCleanup(lambda: cls.server.__exit__(Exception, None, None))
        cls.server.start()
        cls.client = cls.server.client()
        cls.client.set_clock(END_MS)
        cls.file = cls.server.directory / "events.jsonl"
        events_file(cls.file)
        cls.before = dict(list(SEGMENTS.items())[::2])  # half of them before, half after
        for key in ("regulars", "big-spenders", "returners", *cls.before):
            cls.create(key)
        cls.import_events()
        for key in SEGMENTS:
            cls.create(key)

    @classmethod
    def create(cls, key):
        if cls.client.request("GET", f"/api/v1/segments/{key}").status == 404:
            cls.client.expect(201, "POST", "/api/v1/segments",
                              {"key": key, "name": key, "expression": SEGMENTS[key][0]})
        cls.client.wait_live(key)

    @classmethod
    def import_events(cls):
        done = subprocess.run(
            [SONNIM, "import", str(cls.file), "--url", f"http://{cls.server.address}",
             "--token-file", str(cls.server.directory / "token")],
            capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise AssertionError(f"import: {done.returncode}\n{done.stdout}\n{done.stderr}")

    def expected(self, key, now):
        sql = SEGMENTS[key][1]
        if sql is None:
            return (self.expected("big-spenders", now) & self.expected("regulars", now)) \
                - self.expected("returners", now)
        return {row[0] for row in self.db.execute(sql, {"now": now, "day": DAY}
                                                  if ":day" in sql else {"now": now})}

    def figures(self, members, now):
        """What they brought in 365 days, and how many orders that were: thousandths."""
        marks = ",".join("?" * len(members))
        return self.db.execute(
            f"""SELECT sum(CASE WHEN refund THEN -abs(net) ELSE net END), sum(NOT refund)
                FROM invoices WHERE customer IN ({marks}) AND t BETWEEN ? - 365 * ? AND ?""",
            (*members, now, DAY, now)).fetchone()

    def compare_audience(self, key, members, now):
        """What is calculated of the same expression, without its segment."""
        found = self.client.expect(200, "POST", "/api/v1/audience/calculate",
                                   {"expression": SEGMENTS[key][0]},
                                   headers={"Cache-Control": "no-cache"}).json
        revenue, orders = self.figures(sorted(members), now)
        self.assertEqual(found["audience_size"], len(members), key)
        self.assertAlmostEqual(found["expected_revenue"], (revenue or 0) / 1000, places=6,
                               msg=key)
        if orders:
            self.assertAlmostEqual(found["average_order_value"], revenue / 1000 / orders, places=6,
                                   msg=key)
        else:
            self.assertIsNone(found["average_order_value"], key)

    def compare(self, now):
        sizes = {}
        for key in SEGMENTS:
            items = self.client.items(f"/api/v1/segments/{key}/members")
            found, expected = {item["userId"] for item in items}, self.expected(key, now)
            self.assertEqual(len(items), len(found))
            self.assertEqual(found, expected, f"{key}: {len(found)} members, expected "
                             f"{len(expected)}; {sorted(found ^ expected)[:5]} differ")
            sizes[key] = len(found)
            self.compare_audience(key, found, now)
            statistics = self.client.get(f"/api/v1/segments/{key}/statistics")
            customers = self.db.execute("SELECT count(DISTINCT customer) FROM invoices").fetchone()
            self.assertEqual((statistics["size"], statistics["total_users"]),
                             (len(found), customers[0]))
        return sizes

    def test_segments_have_the_members_that_SQL_finds(self):
        sizes = self.compare(END_MS)
        print("     " + ", ".join(f"{key} {size}" for key, size in sizes.items()))
        self.assertTrue(all(sizes.values()), sizes)
        self.import_events()  # the same message ids: nothing changes
        self.assertEqual(self.compare(END_MS), sizes)
        # The instant before an order leaves the 30 days, that instant, and weeks later.
        leaves = self.db.execute("SELECT min(t) FROM invoices WHERE NOT refund AND t > ?",
                                 (END_MS - 20 * DAY,)).fetchone()[0] + 30 * DAY
        for now in (leaves - 1, leaves, leaves + 1, END_MS + 45 * DAY, END_MS + 200 * DAY):
            self.client.set_clock(now)
            self.compare(now)
