"""Definitions that must be refused, with the place of the mistake."""
import json
import time

from case import ServerCase

LEAF = {"event": "Seen", "op": "gte", "value": 1}


def nested(depth):
    expression = LEAF
    for _ in range(depth):
        expression = {"not": expression}
    return expression


class Definitions(ServerCase):
    def post(self, expression, **more):
        return self.client.request("POST", "/api/v1/segments",
                                   {"name": "Wrong", "expression": expression, **more})

    def assert_refused(self, expression, field, code="VALIDATION_ERROR"):
        self.refused(self.post(expression), 400, code, field)

    def test_malformed_JSON_is_refused(self):
        for body in (b"", b"{", b"{\"name\":}", b"nonsense", b"[1,2", b"{\"a\":1}{", b"\"text\"",
                     b"null"):
            with self.subTest(body=body):
                self.refused(self.client.request("POST", "/api/v1/segments", body), 400,
                             "VALIDATION_ERROR")

    def test_invalid_UTF_8_is_refused(self):
        for text in (b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"):
            with self.subTest(text=text):
                self.refused(self.client.request("POST", "/api/v1/segments",
                                                 b'{"name":"' + text + b'"}'), 400)

    def test_unknown_fields_are_refused_with_their_place(self):
        self.assert_refused({**LEAF, "windw": "1d"}, "expression.windw")
        self.assert_refused({"and": [LEAF, {"not": {**LEAF, "x": 1}}]}, "expression.and[1].not.x")
        self.assert_refused({**LEAF, "where": {"property": "a", "op": "eq", "value": 1, "y": 2}},
                            "expression.where.y")
        self.refused(self.post(LEAF, colour="red"), 400, "VALIDATION_ERROR", "colour")

    def test_wrong_types_are_refused_with_their_place(self):
        for expression, field in [
                (5, "expression"), ([], "expression"), ({}, "expression"),
                ({"and": []}, "expression.and"), ({"and": LEAF}, "expression.and"),
                ({"or": [5]}, "expression.or[0]"), ({"not": []}, "expression.not"),
                ({**LEAF, "event": 5}, "expression.event"),
                ({**LEAF, "value": "3"}, "expression.value"),
                ({**LEAF, "value": [1]}, "expression.value"),
                ({**LEAF, "op": "in", "value": 1}, "expression.value"),
                ({**LEAF, "op": "in", "value": []}, "expression.value"),
                ({**LEAF, "op": "in", "value": [1, "x"]}, "expression.value[1]"),
                ({**LEAF, "op": "greater"}, "expression.op"),
                ({**LEAF, "op": "exists"}, "expression.op"),
                ({**LEAF, "op": "contains", "value": "x"}, "expression.op"),
                ({**LEAF, "within": 5}, "expression.within"),
                ({**LEAF, "within": "5 days"}, "expression.within"),
                ({**LEAF, "within": "59s"}, "expression.within"),
                ({**LEAF, "within": "1096d"}, "expression.within"),
                ({**LEAF, "within": "1.5d"}, "expression.within"),
                ({**LEAF, "within": "1d", "until": "1d"}, "expression.until"),
                ({**LEAF, "between": ["2026-01-02", "2026-01-01"]}, "expression.between"),
                ({**LEAF, "between": ["2026-01-02"]}, "expression.between"),
                ({**LEAF, "between": ["yesterday", "2026-01-01"]}, "expression.between[0]"),
                ({**LEAF, "aggregate": "sum"}, "expression.property"),
                ({**LEAF, "property": "x"}, "expression.property"),
                ({"trait": "a", "op": "contains", "value": ""}, "expression.value"),
                ({"trait": "a", "op": "gt", "value": "5"}, "expression.value"),
                ({"trait": "a", "op": "before", "value": "soon"}, "expression.value"),
                ({"trait": "a", "op": "within_last", "value": "5"}, "expression.value"),
                ({"trait": "a", "op": "exists", "value": 1}, "expression.value"),
                ({"trait": "a", "op": "eq", "value": None}, "expression.value"),
                ({"trait": "a", "op": "eq", "value": {}}, "expression.value"),
                ({"segment": 5}, "expression.segment"),
                ({"segment": "no-such-segment"}, "expression.segment")]:
            with self.subTest(expression=expression):
                self.assert_refused(expression, field)

    def test_within_and_between_exclude_each_other(self):
        answer = self.post({**LEAF, "within": "1d", "between": ["2026-01-01", "2026-01-02"]})
        self.refused(answer, 400, "VALIDATION_ERROR")
        self.assertIn(answer.field, ("expression.between", "expression.within"))

    def test_numbers_that_are_not_finite_are_refused(self):
        for text in ("NaN", "Infinity", "-Infinity", "1e999", "-1e400"):
            body = json.dumps({"name": "x", "expression": {**LEAF, "value": 77}})
            with self.subTest(text=text):
                answer = self.client.request("POST", "/api/v1/segments",
                                             body.replace("77", text).encode())
                self.refused(answer, 400, "VALIDATION_ERROR")

    def test_a_sum_is_compared_with_at_most_6_decimals(self):
        leaf = {"event": "Seen", "aggregate": "sum", "property": "revenue", "op": "gt"}
        self.assert_refused({**leaf, "value": 0.1234567}, "expression.value")
        answer = self.post({**leaf, "value": 0.123456})
        self.assertEqual(answer.status, 201, answer)

    def test_strings_of_1_MB_are_refused(self):
        long = "a" * 1_000_000
        for expression in ({**LEAF, "event": long}, {"trait": long, "op": "exists"},
                           {"trait": "a", "op": "eq", "value": long}, {"segment": long}):
            answer = self.post(expression)
            self.refused(answer, 400, "VALIDATION_ERROR")
            self.assertLess(len(answer.body), 4096)
        self.refused(self.post(LEAF, key=long), 400, "VALIDATION_ERROR", "key")
        self.refused(self.post({**LEAF, "event": long + long}), 413, "PAYLOAD_TOO_LARGE")

    def test_expressions_are_at_most_32_deep(self):
        self.assertEqual(self.post(nested(31)).status, 201)
        self.refused(self.post(nested(33)), 400, "VALIDATION_ERROR")

    def test_deep_nesting_is_refused_without_harm(self):
        for depth in (1_000, 100_000):
            text = '{"not":' * depth + json.dumps(LEAF) + "}" * depth
            answer = self.client.request("POST", "/api/v1/segments",
                                         f'{{"name":"x","expression":{text}}}'.encode())
            self.refused(answer, 400, "VALIDATION_ERROR")
        arrays = b'{"name":"x","expression":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
        self.refused(self.client.request("POST", "/api/v1/segments", arrays), 400)

    def test_expressions_have_at_most_256_leaves(self):
        leaves = [{**LEAF, "event": f"e{i}"} for i in range(256)]
        self.assertEqual(self.post({"or": leaves}).status, 201)
        self.refused(self.post({"or": leaves + [LEAF]}), 400, "VALIDATION_ERROR")
        self.refused(self.post({"or": [{**LEAF, "event": f"e{i}"} for i in range(10_000)]}), 400,
                     "VALIDATION_ERROR")

    def test_lists_have_at_most_1000_values(self):
        leaf = {"trait": "a", "op": "in"}
        self.assertEqual(self.post({**leaf, "value": list(range(1000))}).status, 201)
        self.assert_refused({**leaf, "value": list(range(1001))}, "expression.value")

    def test_every_aggregate_and_sequences_are_accepted(self):
        for aggregate in ("avg", "min", "max", "distinct", "first", "last"):
            answer = self.post({**LEAF, "aggregate": aggregate, "property": "x"})
            self.assertEqual(answer.status, 201, aggregate)
        for aggregate in ("days_since_last", "days_since_first"):
            answer = self.post({**LEAF, "aggregate": aggregate})
            self.assertEqual(answer.status, 201, aggregate)
        answer = self.post({"sequence": [{"event": "a"}, {"event": "b"}], "within": "7d"})
        self.assertEqual(answer.status, 201)

    def test_a_rule_value_must_be_greater_than_0(self):
        rule = {"eventType": "orders", "attribute": "count", "operator": "GT", "value": 0}
        answer = self.client.request("POST", "/api/v1/segments",
                                     {"name": "x", "rules": [dict(rule, value=1), rule]})
        error = self.refused(answer, 400, "VALIDATION_ERROR", "rules[1].value")
        self.assertEqual(error["details"]["reason"], "Value must be greater than 0")

    def test_rules_are_checked_with_their_place(self):
        rule = {"eventType": "orders", "attribute": "count", "operator": "GT", "value": 1}
        for change, field in [({"operator": "gte"}, "rules[0].operator"),
                              ({"attribute": "avg"}, "rules[0].attribute"),
                              ({"windowMinutes": 0}, "rules[0].windowMinutes"),
                              ({"windowMinutes": 1441}, "rules[0].windowMinutes"),
                              ({"value": "1"}, "rules[0].value"),
                              ({"eventType": 5}, "rules[0].eventType"),
                              ({"colour": 5}, "rules[0].colour"),
                              ({"active": False}, "rules")]:
            with self.subTest(change=change):
                answer = self.client.request("POST", "/api/v1/segments",
                                             {"name": "x", "rules": [dict(rule, **change)]})
                self.refused(answer, 400, "VALIDATION_ERROR", field)

    def test_a_definition_has_one_form(self):
        rule = {"eventType": "orders", "attribute": "count", "operator": "GT", "value": 1}
        self.refused(self.post(LEAF, rules=[rule]), 400, "VALIDATION_ERROR")
        self.refused(self.client.request("POST", "/api/v1/segments", {"name": "x"}), 400,
                     "VALIDATION_ERROR")

    def test_a_logical_expression_names_what_it_depends_on(self):
        self.make_segment("base-a", LEAF)
        dependency = [{"independentSegmentId": "base-a", "logicalOperator": "AND"}]
        for text in ("base-a AND", "base-a base-a", "(base-a", "base-a XOR base-a", "", "base-b"):
            with self.subTest(text=text):
                answer = self.client.request(
                    "POST", "/api/v1/segments",
                    {"name": "x", "logicalExpression": text, "dependencies": dependency})
                self.refused(answer, 400, "VALIDATION_ERROR")

    def test_a_cycle_is_refused_with_its_path(self):
        self.make_segment("cycle-a", LEAF)
        self.make_segment("cycle-b", {"not": {"segment": "cycle-a"}})
        self.make_segment("cycle-c", {"and": [LEAF, {"segment": "cycle-b"}]})
        answer = self.client.request("PUT", "/api/v1/segments/cycle-a",
                                     {"expression": {"or": [LEAF, {"segment": "cycle-c"}]}})
        error = self.refused(answer, 400, "VALIDATION_ERROR")
        self.assertTrue(error["details"]["field"].startswith("expression"))
        for key in ("cycle-a", "cycle-b", "cycle-c"):
            self.assertIn(key, error["message"])
        answer = self.client.request("PUT", "/api/v1/segments/cycle-a",
                                     {"expression": {"segment": "cycle-a"}})
        self.refused(answer, 400, "VALIDATION_ERROR")

    def test_what_the_server_sets_cannot_be_sent(self):
        for field in ("id", "state", "version", "liveVersion", "createdAt"):
            with self.subTest(field=field):
                self.refused(self.post(LEAF, **{field: "x"}), 400, "VALIDATION_ERROR", field)

    def test_after_all_of_this_the_server_still_answers(self):
        self.make_segment("still-alive", LEAF)
        self.track("alive")
        self.assertEqual(self.members("still-alive"), ["alive"])


class TooLarge(ServerCase):
    """What does not fit into the journal, since every partition gets it, fails by itself."""
    flags = ("--partitions", "256")

    def define(self, key, expression):
        self.client.expect(201, "POST", "/api/v1/segments",
                           {"key": key, "name": key, "expression": expression})

    def list_of(self, count, base=None):
        leaf = {**LEAF, "where": {"property": "p", "op": "in",
                                  "value": [f"{i:012}" for i in range(count)]}}
        return leaf if base is None else {"and": [leaf, {"segment": base}]}

    def wait_failed(self, key):
        deadline = time.monotonic() + 300
        while (found := self.client.get(f"/api/v1/segments/{key}"))["state"] != "Failed":
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(0.01)
        return found

    def test_an_edit_that_takes_too_many_along_fails_and_the_live_version_answers(self):
        self.define("base", LEAF)
        for i in range(6):
            self.define(f"derived-{i}", self.list_of(900, "base"))
        self.client.wait_live("derived-5")
        self.client.expect(200, "POST", "/v1/track", {"userId": "u1", "event": "Seen"},
                           key=self.key)
        other = {**LEAF, "value": 2}
        self.client.expect(200, "PUT", "/api/v1/segments/base", {"expression": other})
        failed = self.wait_failed("base")
        self.assertRegex(failed["reason"], r"6 live segments .* takes \d+ bytes; at most \d+")
        self.assertEqual((failed["version"], failed["liveVersion"]), (2, 1))
        members = self.client.items("/api/v1/segments/base/members")
        self.assertEqual([member["userId"] for member in members], ["u1"])

        # Others go on, also beside it in one round; and so does it, with fewer derived ones.
        self.define("next", LEAF)
        self.client.wait_live("next")
        self.server.kill()
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.assertEqual(self.wait_failed("base")["reason"], failed["reason"])
        for i in range(3):
            self.client.expect(204, "DELETE", f"/api/v1/segments/derived-{i}")
        self.client.expect(200, "PUT", "/api/v1/segments/base",
                           {"expression": {**LEAF, "value": 3}})
        self.client.wait_live("base", 3)
        self.assertEqual(self.client.items("/api/v1/segments/base/members"), [])

    def test_one_that_never_became_live_fails_and_so_does_what_refers_to_it(self):
        self.define("large", {"and": [self.list_of(1000) for _ in range(8)] +
                                     [{**self.list_of(1000), "event": f"E{i}"} for i in range(5)]})
        self.define("above", {"segment": "large"})
        self.assertIsNone(self.wait_failed("large")["liveVersion"])
        self.assertIn('"large", which is not live', self.wait_failed("above")["reason"])
        self.refused(self.client.request("GET", "/api/v1/segments/large/members"), 409)
        self.client.expect(200, "PUT", "/api/v1/segments/large", {"expression": LEAF})
        self.client.wait_live("large", 2)
