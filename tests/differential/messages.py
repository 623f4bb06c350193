"""Random messages: late, of the future, skewed, twice, odd and refused ones."""
from generate import (AMOUNTS, BIRTHDAYS, CORRECTIONS, DAY, EMAILS, EVENTS, HOUR, MINUTE, PHONES,
                      REGIONS, TAGS, TIERS, TYPES, write_instant)

USERS = ["u1", "u2", "u3", "손님-1", "손님 2/?&%", "me2", "user@example.com", 42, "ü" * 40]


class Messages:
    def __init__(self, random, retention, users=40, visitors=12):
        self.random = random
        self.retention = retention
        self.users = USERS + [f"user-{i}" for i in range(users - len(USERS))]
        self.first_visitor = 0  # new ones come as old ones become users
        self.visitor_count = visitors
        self.sent = []  # (call, message)
        self.next_id = 0

    @property
    def visitors(self):
        return [f"visitor-{self.first_visitor + i}" for i in range(self.visitor_count)]

    def message_id(self):
        self.next_id += 1
        return f"m-{self.next_id}"

    def who(self, message):
        random = self.random
        chance = random.random()
        if chance < 0.8:
            message["userId"] = random.choice(self.users)
            if chance < 0.08:
                message["anonymousId"] = random.choice(self.visitors)  # no link: not identify
        else:
            message["anonymousId"] = random.choice(self.visitors)
            if chance < 0.83:
                message["userId"] = random.choice(["", None])

    def time(self, now, message):
        """Mostly near now; late by up to the retention; ahead by up to 6 minutes."""
        random = self.random
        chance = random.random()
        if chance < 0.3:
            return
        if chance < 0.6:
            at = now - random.randint(0, 12 * MINUTE)
        elif chance < 0.75:
            at = now - random.randint(0, 9 * DAY)
        elif chance < 0.8:
            at = now - random.randint(0, 500 * DAY)
        elif chance < 0.92:
            at = now + random.choice([1, 1000, MINUTE, 299_999, 300_000, 300_001, 6 * MINUTE,
                                      random.randint(1, 300_000)])
        else:  # about as old as events are kept
            at = now - self.retention + random.choice([-DAY, -HOUR, -1, 0, 1, HOUR, DAY - 1, DAY])
        style = random.randrange(7)
        if random.random() < 0.06:
            style, at = 1, at // DAY * DAY
        message["timestamp"] = write_instant(random, max(at, 0), style)
        if random.random() < 0.25:
            skew = random.choice([0, 1, -1, HOUR, -HOUR, 250_000, -250_000, 3 * DAY])
            message["sentAt"] = random.choice(
                [write_instant(random, max(now + skew, 0)), "yesterday", None, 5])

    def value(self, now):
        random = self.random
        return random.choice([
            None, True, False, 5, "5", 10, 10.5, "제주", [], ["제주", "x"], [1, 2], {}, "VIP",
            "제주" * 11,
            write_instant(random, now + random.randint(-2 * DAY, 2 * DAY)), "2026-01-32"])

    def properties(self, now):
        random = self.random
        properties = {}
        if random.random() < 0.75:
            properties["region"] = random.choice(REGIONS)
        if random.random() < 0.7:
            properties[random.choice(["revenue", "revenue", "amount", "total", "value"])] = \
                random.choice(AMOUNTS)
        if random.random() < 0.3:
            properties["tags"] = random.sample(TAGS, random.randint(0, 3))
        if random.random() < 0.3:
            properties["cart"] = {"value": random.choice(AMOUNTS), "items": [{"a": 1}]}
        if random.random() < 0.3:
            properties["check_in"] = write_instant(random, now + random.randint(-2 * DAY, 2 * DAY))
        if random.random() < 0.6:
            properties[random.choice(["product_id", "property_id"])] = random.choice(
                ["d1", "d2", 3, "3", "d4", "", True])
            if random.random() < 0.8:
                properties.pop("region", None)
        if random.random() < 0.2:
            properties[random.choice(["gift", "a.b", "region", "revenue", "cart", "check_in",
                                      "tags"])] = self.value(now)
        if random.random() < 0.1:
            properties["a"] = {"b": self.value(now)}
        return properties

    def fact(self, message):
        """Which order or booking it is about; a correction may take properties away."""
        random = self.random
        name = message.get("event")
        if name not in ("Order Completed", *CORRECTIONS) or random.random() < 0.2:
            return
        key = "booking_id" if "Booking" in name else "order_id"
        message["properties"][key] = random.choice(["o1", "o1", "o2", 3, "3", "o4", "", True])
        if name.endswith("Updated") and random.random() < 0.3:
            message["properties"][random.choice(["revenue", "region", "tags"])] = None

    def traits(self, now):
        random = self.random
        traits = {}
        if random.random() < 0.6:
            traits["tier"] = random.choice(TIERS + [None])
        if random.random() < 0.3:
            traits["tags"] = random.choice([random.sample(TAGS, 2), [], None])
        if random.random() < 0.3:
            traits["score"] = random.choice([0, 5, 10, 10.5, -5, 1000, "5", None])
        if random.random() < 0.3:
            traits["birthday_at"] = random.choice(
                [write_instant(random, now + random.randint(-2 * DAY, 2 * DAY)), "soon", None])
        if random.random() < 0.2:
            traits["email"] = random.choice([*EMAILS, "no address", None])
        if random.random() < 0.2:
            traits["phone"] = random.choice([*PHONES, "call me", None])
        if random.random() < 0.1:
            traits["birthday"] = random.choice(BIRTHDAYS)
        if random.random() < 0.2:
            traits["prefs"] = random.choice([{"color": "red"}, {"color": "blue"}, {"size": 1}])
        return traits

    def _call(self, now):
        random = self.random
        call = random.choices(["track", "page", "screen", "identify", "group", "alias"],
                              [70, 6, 4, 14, 4, 1])[0]
        message = {}
        if call == "alias":
            message = {"userId": random.choice(self.users),
                       "previousId": random.choice(self.visitors + [self.users[0]])}
            return call, message
        self.who(message)
        if call == "identify":
            if random.random() < 0.25:
                message["anonymousId"] = random.choice(self.visitors)
            message["traits"] = self.traits(now)
        elif call == "group":
            message["groupId"] = random.choice(["g1", "g2", 7])
        else:
            if call == "track":
                message["event"] = random.choice([e for e in EVENTS if e[0] != "$"] + ["clicks"])
                if random.random() < 0.2:
                    message["event"] = random.choice(CORRECTIONS)
            elif random.random() < 0.6:
                message["name"] = random.choice(REGIONS[:3])
            message["properties"] = self.properties(now)
            self.fact(message)
            if random.random() < 0.3:
                message["context"] = {"app": {"version": random.choice(REGIONS[:3])},
                                      "library": {"name": "test"}}
            self.time(now, message)
        return call, message

    def _spoil(self, call, message):
        random = self.random
        kind = random.randrange(5)
        if kind == 0 and call == "track":
            message["event"] = random.choice(["", None, 5])
        elif kind == 1:
            message["timestamp"] = random.choice(["now", "2026-01-01 10:00:00Z", "2026-02-30",
                                                  "2026-01-01T10:00Z", "2026-01-01T10:00:60Z"])
        elif kind == 2:
            message["userId"], message["anonymousId"] = "", None
        elif kind == 3 and call in ("track", "page"):
            message["timestamp"] = "2001-01-01T00:00:00Z"
        elif kind == 4 and call == "group":
            message["groupId"] = ""

    def make(self, now):
        """(call, message) in Segment's form."""
        random = self.random
        if self.sent and random.random() < 0.07:
            return self._again(now)
        call, message = self._call(now)
        if random.random() < 0.9:
            message["messageId"] = self.message_id()
        if random.random() < 0.04:
            self._spoil(call, message)
        if "messageId" in message and call != "alias":
            self.sent.append((call, message))
        if random.random() < 0.03:
            self.first_visitor += 1
        return call, message

    def _again(self, now):
        """The same message, or another one under its id."""
        random = self.random
        call, message = random.choice(self.sent[-300:])
        message = dict(message)
        if random.random() < 0.5:
            message.pop("timestamp", None)
            message.pop("sentAt", None)
            if call != "identify":
                self.time(now, message)
            if "properties" in message:
                message["properties"] = self.properties(now)
            if random.random() < 0.3:
                message["userId"] = random.choice(self.users)
        return call, message

    def make_platform(self, now):
        """An event of the platform's own API."""
        random = self.random
        event = {"userId": random.choice(self.users), "eventType": random.choice(TYPES),
                 "attributes": self.properties(now)}
        if random.random() < 0.8:
            event["messageId"] = self.message_id()
        if random.random() < 0.5:
            self.time(now, event)
            event.pop("sentAt", None)
        elif random.random() < 0.5:
            event["timestamp"] = now - random.randint(0, 12 * MINUTE)
        if random.random() < 0.05:
            event["eventType"] = random.choice(["order", "", None])
        if random.random() < 0.2:
            event["sessionId"] = "session"
        return event
