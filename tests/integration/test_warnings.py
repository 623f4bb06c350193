"""Names in a definition that were never seen."""
from case import ServerCase


class Warnings(ServerCase):
    def setUp(self):
        super().setUp()
        self.track("w1", event="Order Completed", properties={"revenue": 5, "cart": {"size": 2}})
        self.client.expect(200, "POST", "/v1/identify",
                           {"userId": "w2", "traits": {"tier": "gold"}}, key=self.key)

    def warned(self, **definition):
        answer = self.client.expect(201, "POST", "/api/v1/segments",
                                    {"name": "Warned", **definition}).json
        self.client.wait_live(answer["key"])
        found = self.client.get(f"/api/v1/segments/{answer['key']}")
        self.assertEqual(found["warnings"], answer["warnings"])
        return [(warning["field"], warning["nearest"]) for warning in answer["warnings"]]

    def test_an_unknown_event_is_named_with_the_nearest(self):
        leaf = {"event": "Order Complete", "op": "gte", "value": 1}
        answer = self.client.expect(201, "POST", "/api/v1/segments",
                                    {"name": "x", "expression": {"and": [leaf]}}).json
        self.assertEqual(answer["warnings"], [{
            "field": "expression.and[0].event",
            "message": "No event \"Order Complete\" was ever seen",
            "nearest": "Order Completed"}])
        self.assertEqual(self.warned(expression={"not": {**leaf, "event": "Nothing like it"}}),
                         [("expression.not.event", None)])

    def test_unknown_properties_and_traits_are_named(self):
        where = {"or": [{"property": "revenu", "op": "gt", "value": 1},
                        {"not": {"property": "cart.size", "op": "eq", "value": 2}},
                        {"property": "context.locale", "op": "eq", "value": "ko"}]}
        self.assertEqual(
            self.warned(expression={"or": [
                {"event": "orders", "aggregate": "sum", "property": "revenues", "where": where,
                 "op": "gte", "value": 1},
                {"event": "*", "where": {"property": "revenue", "op": "exists"},
                 "op": "gte", "value": 1},
                {"trait": "tiers", "op": "eq", "value": "gold"}]}),
            [("expression.or[0].property", "revenue"),
             ("expression.or[0].where.or[0].property", "revenue"),
             ("expression.or[2].trait", "tier")])

    def test_known_and_built_in_names_are_not_warned_of(self):
        self.assertEqual(
            self.warned(expression={"and": [
                {"event": "Order Completed", "aggregate": "sum", "property": "$amount",
                 "op": "gte", "value": 1},
                {"event": "$page", "op": "gte", "value": 1},
                {"event": "$screen", "op": "gte", "value": 1},
                {"event": "*", "op": "gte", "value": 1},
                {"trait": "tier", "op": "eq", "value": "gold"},
                {"trait": "group_id", "op": "eq", "value": "g"},
                {"trait": "$identified", "op": "eq", "value": True}]}), [])

    def test_rules_are_named_by_their_index(self):
        rule = {"attribute": "count", "operator": "GTE", "value": 1}
        self.assertEqual(
            self.warned(rules=[{**rule, "eventType": "never", "active": False},
                               {**rule, "eventType": "orders"},
                               {**rule, "eventType": "clicks"}]),
            [("rules[2].eventType", None)])

    def test_a_warning_ends_when_the_name_was_seen_also_after_a_restart(self):
        expression = {"event": "Brand New", "op": "gte", "value": 1}
        self.assertEqual(self.warned(key="new", expression=expression),
                         [("expression.event", None)])
        self.track("w3", event="Brand New")
        self.assertEqual(self.client.get("/api/v1/segments/new")["warnings"], [])
        self.client.close()
        self.server.kill()
        self.server.start()
        self.client = self.server.client()
        self.assertEqual(self.client.get("/api/v1/segments/new")["warnings"], [])
        answer = self.client.expect(200, "PUT", "/api/v1/segments/new", {
            "expression": {**expression, "event": "Brand Now"}}).json
        self.assertEqual([warning["nearest"] for warning in answer["warnings"]], ["Brand New"])
