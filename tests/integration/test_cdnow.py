"""The purchases of CDNOW: audiences, their revenue and how they overlap, against SQL over the rows
as they were published, amounts as whole cents. Everybody first bought in the first quarter of
1997."""
import datetime
import json
import sqlite3
import subprocess
import unittest
from decimal import Decimal

from server import ROOT, SONNIM, Server

DAY = 86_400_000
FILE = ROOT / "examples" / "cdnow_transactions.txt.zst"
CUSTOMERS, PURCHASES = 23_570, 69_659  # as published
FIRST_BY_MS = 859_852_800_000  # 1997-04-01
END_MS = 899_251_200_000  # 1998-07-01


# Expression, SQL over `p` (customer, t, cds, cents) at :now: rows of customers.
ORDER = '"Order Completed"'
AUDIENCES = {
    "everybody": (f"count({ORDER}) >= 1", "SELECT customer FROM p WHERE t <= :now GROUP BY 1"),
    "came again": (f"count({ORDER}) >= 2",
                   "SELECT customer FROM p WHERE t <= :now GROUP BY 1 HAVING count(*) >= 2"),
    "once": (f"count({ORDER}) = 1",
             "SELECT customer FROM p WHERE t <= :now GROUP BY 1 HAVING count(*) = 1"),
    "large purchases lately": (
        f"count({ORDER} where revenue >= 50.25) within 180d >= 2",
        "SELECT customer FROM p WHERE cents >= 5025 AND t > :now - 180 * :day AND t <= :now "
        "GROUP BY 1 HAVING count(*) >= 2"),
    "spent": (f"sum(revenue of {ORDER}) within 365d >= 250",
              "SELECT customer FROM p WHERE t > :now - 365 * :day AND t <= :now GROUP BY 1 "
              "HAVING sum(cents) >= 25000"),
    "average": (f"avg(revenue of {ORDER}) between 1997-01-01 and 1997-04-01".replace(
        "1997-01-01", '"1997-01-01T00:00:00Z"').replace("1997-04-01", '"1997-04-01T00:00:00Z"')
        + " > 40.5",
        f"SELECT customer FROM p WHERE t < {FIRST_BY_MS} AND t <= :now GROUP BY 1 "
        "HAVING sum(cents) * 10 > 40500 * count(*)"),
    "many CDs at once": (f"max(cds of {ORDER}) >= 12",
                         "SELECT customer FROM p WHERE t <= :now GROUP BY 1 "
                         "HAVING max(cds) >= 12"),
    "gone": (f"days_since_last({ORDER}) >= 120",
             "SELECT customer FROM p WHERE t <= :now GROUP BY 1 "
             "HAVING (:now - max(t)) / :day >= 120"),
    "free of charge": (f"min(revenue of {ORDER}) = 0",
                       "SELECT customer FROM p WHERE t <= :now GROUP BY 1 HAVING min(cents) = 0"),
}


def rows():
    """(customer, t, cds, cents)"""
    text = subprocess.run(["zstd", "-dc", str(FILE)], stdout=subprocess.PIPE, check=True).stdout
    for line in text.decode().splitlines()[1:]:
        customer, date, cds, dollars = line.split()
        day = datetime.datetime.strptime(date + "+0000", "%Y%m%d%z")
        yield customer, int(day.timestamp()) * 1000, int(cds), int(Decimal(dollars) * 100)


class Cdnow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.db = sqlite3.connect(":memory:")
        cls.db.execute("CREATE TABLE p (customer, t, cds, cents)")
        cls.db.executemany("INSERT INTO p VALUES (?, ?, ?, ?)", rows())
        cls.server = Server("--partitions", "4")
        cls.addClassCleanup(lambda: cls.server.__exit__(Exception, None, None))
        cls.server.start()
        cls.client = cls.server.client()
        cls.client.set_clock(END_MS)
        cls.import_purchases()

    @classmethod
    def import_purchases(cls):
        path = cls.server.directory / "purchases.jsonl"
        with open(path, "w", encoding="utf-8") as file:
            for number, (customer, t, cds, cents) in enumerate(cls.db.execute("SELECT * FROM p")):
                at = datetime.datetime.fromtimestamp(t / 1000, datetime.timezone.utc)
                file.write(json.dumps({
                    "type": "track", "event": "Order Completed", "userId": customer,
                    "messageId": f"cdnow-{number}", "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "properties": {"revenue": cents / 100, "cds": cds}}) + "\n")
        done = subprocess.run(
            [SONNIM, "import", str(path), "--url", f"http://{cls.server.address}", "--token-file",
             str(cls.server.directory / "token")], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise AssertionError(f"import: {done.returncode}\n{done.stdout}\n{done.stderr}")

    def members(self, name, now):
        sql = AUDIENCES[name][1]
        named = {"now": now, "day": DAY} if ":day" in sql else {"now": now}
        return {row[0] for row in self.db.execute(sql, named)}

    def calculate(self, **body):
        return self.client.expect(200, "POST", "/api/v1/audience/calculate", body,
                                  headers={"Cache-Control": "no-cache"}).json

    def figures(self, members, now):
        """Cents and orders of these in the 365 days."""
        marks = ",".join(f"'{member}'" for member in members)
        return self.db.execute(f"""SELECT coalesce(sum(cents), 0), count(*) FROM p
                                   WHERE customer IN ({marks}) AND t BETWEEN ? - 365 * ? AND ?""",
                               (now, DAY, now)).fetchone()

    def compare(self, name, now):
        members = self.members(name, now)
        found = self.calculate(expression=AUDIENCES[name][0])
        cents, orders = self.figures(members, now)
        self.assertEqual(found["audience_size"], len(members), f"{name} at {now}")
        self.assertAlmostEqual(found["expected_revenue"], cents / 100, places=6, msg=name)
        if orders:
            self.assertAlmostEqual(found["average_order_value"], cents / 100 / orders, places=6,
                                   msg=name)
        return found

    def test_audiences_are_those_that_SQL_finds(self):
        count = self.db.execute("SELECT count(*), count(DISTINCT customer) FROM p").fetchone()
        self.assertEqual(count, (PURCHASES, CUSTOMERS))
        sizes = {name: self.compare(name, END_MS)["audience_size"] for name in AUDIENCES}
        print("     " + ", ".join(f"{name} {size:,}" for name, size in sizes.items()))
        self.assertEqual(sizes["everybody"], CUSTOMERS)
        self.assertEqual(sizes["once"] + sizes["came again"], CUSTOMERS)
        self.assertTrue(all(sizes.values()), sizes)

    def test_all_of_them_first_bought_in_the_first_quarter(self):
        days = (END_MS - FIRST_BY_MS) // DAY
        found = self.calculate(expression=f"days_since_first({ORDER}) > {days}")
        self.assertEqual(found["audience_size"], CUSTOMERS)

    def test_parts_of_two_audiences_add_up(self):
        names = ("spent", "came again", "gone")
        found = self.client.expect(200, "POST", "/api/v1/audience/overlap", {
            "audiences": [{"expression": AUDIENCES[name][0]} for name in names]}).json
        sets = [self.members(name, END_MS) for name in names]
        self.assertEqual([audience["size"] for audience in found["audiences"]],
                         [len(members) for members in sets])
        self.assertEqual(found["union"], len(set().union(*sets)))
        for pair in found["pairs"]:
            first, second = pair["audiences"]
            self.assertEqual(pair["size"], len(sets[first] & sets[second]), pair)
