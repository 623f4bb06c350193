"""Audiences: what their tests share, and a shop whose history Python remembers."""
import os
import random

from case import START, ServerCase
from program import Node

DAY = 86_400_000
DAYS = 60
REGIONS = ("제주", "부산", "서울", None)
TIERS = ("VIP", "GOLD", "SILVER", None)


class Shop:
    """What happened, as Python remembers it."""

    def __init__(self, draw, users):
        self.draw = draw
        self.users = {f"u{i}": {"tier": draw.choice(TIERS), "events": []} for i in range(users)}

    def day(self, number):
        """The messages of a day, which all come at its begin."""
        batch = []
        for _ in range(12):
            user = self.draw.choice(list(self.users))
            event = self.draw.choice(("Order Completed", "Order Completed", "Order Refunded",
                                      "Product Viewed", "Booking Created"))
            properties = {}
            if (region := self.draw.choice(REGIONS)) is not None:
                properties["region"] = region
            if event.startswith("Order"):
                properties["revenue"] = self.draw.randrange(1, 400_000) / 100
            self.users[user]["events"].append((START + number * DAY, event, properties))
            batch.append({"type": "track", "userId": user, "event": event,
                          "properties": properties})
        return batch

    def identify(self):
        return [{"type": "identify", "userId": name, "traits": {"membership_tier": user["tier"]}}
                for name, user in self.users.items()]

    def events(self, name, now, event=None, within=None, region=None):
        return [e for e in self.users[name]["events"]
                if (event is None or e[1] == event) and e[0] <= now
                and (within is None or now < e[0] + within)
                and (region is None or e[2].get("region") in region)]

    def who(self, holds):
        return {name for name in self.users if holds(name)}

    def revenue(self, names, now):
        orders = [e for n in names for e in self.events(n, now, "Order Completed")]
        refunds = [e for n in names for e in self.events(n, now, "Order Refunded")]
        total = sum(round(e[2]["revenue"] * 100) for e in orders) \
            - sum(round(e[2]["revenue"] * 100) for e in refunds)
        return total / 100, (total / 100 / len(orders) if orders else None)


class AudienceCase(ServerCase):
    def calculate(self, body, status=200, **headers):
        return self.client.expect(status, "POST", "/api/v1/audience/calculate", body,
                                  headers=headers).json

    def save(self, status=201, **body):
        return self.client.expect(status, "POST", "/api/v1/audiences", body).json

    def saved(self, audience):
        return self.client.get(f"/api/v1/audiences/{audience}")

    def watch(self, query=""):
        node = Node("socket.mjs", f"ws://{self.server.address}/ws/audiences{query}",
                    f"sonnim.bearer.{self.server.token}")
        self.addCleanup(node.__exit__)
        self.assertIn("open", node.next())
        return node

    def metric(self, name):
        for line in self.client.request("GET", "/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no metric {name}")

    def overlap(self, audiences, sets, **body):
        """What is answered, once it was found to be what Python counts."""
        found = self.client.expect(200, "POST", "/api/v1/audience/overlap",
                                   {"audiences": audiences, **body},
                                   headers={"Cache-Control": "no-cache"}).json
        self.assertEqual([a["size"] for a in found["audiences"]], [len(s) for s in sets])
        self.assertEqual(len(found["pairs"]), len(sets) * (len(sets) - 1) // 2)
        for pair in found["pairs"]:
            a, b = pair["audiences"]
            self.assertEqual(pair["size"], len(sets[a] & sets[b]), pair)
        self.assertEqual(len(found["regions"]), 2 ** len(sets) - 1)
        for region in found["regions"]:
            inside = set.intersection(*(sets[i] for i in region["audiences"]))
            outside = set().union(*(s for i, s in enumerate(sets) if i not in region["audiences"]))
            self.assertEqual(region["size"], len(inside - outside), region)
        self.assertEqual(found["union"], len(set().union(*sets)))
        self.assertEqual(sum(r["size"] for r in found["regions"]), found["union"])
        return found

    def wait_saved_live(self, audience):
        segment = self.saved(audience)["segment"]["id"]
        self.client.wait_live(segment)
        return segment


class ShopCase(AudienceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        seed = int(os.environ.get("SONNIM_TEST_SEED") or random.randrange(1 << 31))
        print(f"audience: SONNIM_TEST_SEED={seed}", flush=True)
        cls.shop = Shop(random.Random(seed), 50)
        client = cls.server.client()
        answer = client.expect(200, "POST", "/v1/batch", {"batch": cls.shop.identify()},
                               key=cls.key)
        for number in range(DAYS):
            client.set_clock(START + number * DAY)
            answer = client.expect(200, "POST", "/v1/batch", {"batch": cls.shop.day(number)},
                                   key=cls.key)
        cls.now = START + (DAYS - 1) * DAY + 5000
        client.set_clock(cls.now)
        cls.position = answer.position
        client.close()

    def holds(self, tiers=None, region=None, recency=None):
        def test(name):
            user, shop = self.shop.users[name], self.shop
            return (tiers is None or user["tier"] in tiers) \
                and (region is None or bool(shop.events(name, self.now, region=region))) \
                and (recency is None or bool(shop.events(name, self.now, within=recency * DAY)))
        return self.shop.who(test)
