"""The oracle itself against answers worked out by hand from contracts.md."""
import unittest

from coverage import FORMS, Coverage, forms_of
from oracle import Workspace
from values import DAY, Test, find, millionths, parse_instant, value_of

NOW = parse_instant("2026-01-10T12:00:00Z")
RETENTION = 1096 * DAY


class Rules(unittest.TestCase):
    def workspace(self, expression):
        workspace = Workspace(NOW, RETENTION)
        workspace.activate("s0", expression)
        return workspace

    def track(self, workspace, **message):
        return workspace.accept("track", {"userId": "u", "event": "E", **message})

    def rows(self, workspace):
        return [(row.change, row.at - NOW, row.causes[0])
                for row in workspace.persons[("user", "u")].rows]

    def test_an_event_counts_from_its_time_until_just_before_the_window_ends(self):
        workspace = self.workspace({"event": "E", "within": "60s", "op": "gte", "value": 1})
        self.track(workspace, messageId="a")
        workspace.advance(NOW + 10 * DAY)
        self.assertEqual(self.rows(workspace),
                         [("entered", 0, "event"), ("exited", 60_000, "expiry")])

    def test_an_event_of_the_future_begins_at_its_time(self):
        workspace = self.workspace({"event": "E", "within": "60s", "op": "gte", "value": 1})
        self.track(workspace, timestamp="2026-01-10T12:05:00Z")
        self.track(workspace, timestamp="2026-01-10T12:05:00.001Z")
        workspace.advance(NOW + DAY)
        self.assertEqual(self.rows(workspace),
                         [("entered", 0, "event"), ("exited", 60_000, "expiry"),
                          ("entered", 300_000, "event"), ("exited", 360_000, "expiry")])

    def test_what_holds_without_events_is_entered_at_creation(self):
        workspace = self.workspace({"event": "E", "op": "eq", "value": 0})
        self.track(workspace)
        self.assertEqual(self.rows(workspace), [("entered", 0, "created"), ("exited", 0, "event")])

    def test_a_definition_records_exits_of_those_for_whom_its_default_does_not_hold(self):
        workspace = Workspace(NOW, RETENTION)
        self.track(workspace)
        workspace.activate("s0", {"event": "E", "op": "eq", "value": 0})
        self.assertEqual(self.rows(workspace), [("exited", 0, "definition")])

    def test_an_event_is_gone_after_the_retention_by_whole_days(self):
        workspace = self.workspace({"event": "E", "op": "gte", "value": 1})
        self.track(workspace)
        workspace.advance(NOW + RETENTION)
        self.assertEqual(self.rows(workspace)[1],
                         ("exited", RETENTION - 12 * 3_600_000, "expiry"))
        self.assertEqual(self.track(workspace, timestamp="2026-01-10T23:59:59.999Z"), "TOO_OLD")

    def test_the_second_message_under_an_id_does_not_count(self):
        workspace = self.workspace({"event": "E", "op": "gte", "value": 2})
        self.track(workspace, messageId="a")
        self.track(workspace, messageId="a")
        self.assertEqual(self.rows(workspace), [])

    def test_sent_at_corrects_the_time(self):
        workspace = self.workspace({"event": "E", "op": "gte", "value": 1})
        self.track(workspace, timestamp="2020-01-01T00:00:00Z", sentAt="2020-01-01T00:00:07Z")
        self.assertEqual(workspace.persons[("user", "u")].events[0].time, NOW - 7000)

    def test_sums_round_half_to_even_and_leave_out_what_is_beyond(self):
        self.assertEqual(millionths(0.1) * 3, millionths(0.3))
        self.assertEqual(millionths(1e-7), 0)
        workspace = self.workspace({"event": "E", "aggregate": "sum", "property": "$amount",
                                    "op": "eq", "value": 5})
        for revenue in (10, -5, 9.3e12, "7", True):
            self.track(workspace, properties={"revenue": revenue})
        self.assertEqual(list(workspace.members("s0")), [("user", "u")])

    def value(self, aggregate, op, value, *revenues, **leaf):
        """Whether it holds of events with these revenues, one second after the other, the last
        one now."""
        test = {} if value is None else {"value": value}
        if not aggregate.startswith("days"):
            leaf["property"] = "revenue"
        workspace = self.workspace({"event": "E", "aggregate": aggregate, "op": op, **test, **leaf})
        for revenue in revenues:
            properties = {} if revenue is None else {"revenue": revenue}
            workspace.now += 1000
            self.track(workspace, properties=properties)
        workspace.advance(workspace.now)
        return ("user", "u") in workspace.members("s0")

    def test_averages_are_exact(self):
        self.assertTrue(self.value("avg", "gt", 0.333333, 0, 0, 1))
        self.assertFalse(self.value("avg", "eq", 0.333333, 0, 0, 1))
        self.assertTrue(self.value("avg", "eq", 0.2, 0.1, 0.3, "x", None, 9.3e12))

    def test_what_has_nothing_to_aggregate_is_missing(self):
        for aggregate in ("avg", "min", "max", "first", "last"):
            self.assertTrue(self.value(aggregate, "absent", None, None))
            self.assertFalse(self.value(aggregate, "exists", None, None))
            self.assertTrue(self.value(aggregate, "neq", 0, None))
            self.assertTrue(self.value(aggregate, "not_in", [0], None))
            self.assertFalse(self.value(aggregate, "lte", 0, None))
            self.assertTrue(self.value(aggregate, "exists", None, None, 0))
        self.assertTrue(self.value("distinct", "eq", 0, None))

    def test_min_and_max_are_of_numbers(self):
        self.assertTrue(self.value("min", "eq", -5, 3, "x", -5, 1e300))
        self.assertTrue(self.value("max", "eq", 1e300, 3, "x", -5, 1e300))

    def test_distinct_tells_types_apart_and_counts_items(self):
        self.assertTrue(self.value("distinct", "eq", 3, 5, 5.0, "5", True))
        self.assertTrue(self.value("distinct", "eq", 2, ["a", "b"], "a", [], [1], None))

    def test_first_and_last_are_of_those_that_have_a_value(self):
        self.assertTrue(self.value("first", "eq", "a", None, "a", "b", None))
        self.assertTrue(self.value("last", "starts_with", "b", None, "a", ["x", "bc"], {}))

    def test_days_since_are_whole_days(self):
        for op, value, rows in [("lt", 1, [("entered", 0, "event"), ("exited", DAY, "expiry")]),
                                ("gte", 2, [("entered", 2 * DAY, "expiry")])]:
            workspace = self.workspace({"event": "E", "aggregate": "days_since_last", "op": op,
                                        "value": value})
            self.track(workspace)
            workspace.advance(NOW + 5 * DAY)
            self.assertEqual(self.rows(workspace), rows)

    def sequence(self, *names, **bounds):
        steps = [{"event": "A"}, {"event": "B"}, {"event": "C"}]
        workspace = self.workspace({"sequence": steps, **bounds})
        for index, name in enumerate(names):
            workspace.advance(NOW + index * 1000)
            self.track(workspace, event=name)
        workspace.advance(NOW + 10 * DAY)
        return self.rows(workspace)

    def test_a_sequence_may_have_others_in_between(self):
        self.assertEqual(self.sequence("B", "A", "C", "B", "X", "C"), [("entered", 5000, "event")])
        self.assertEqual(self.sequence("A", "C", "B"), [])

    def test_ended_within_ends_a_sequence(self):
        self.assertEqual(self.sequence("A", "B", "C", ended_within="60s"),
                         [("entered", 2000, "event"), ("exited", 62_000, "expiry")])

    def test_within_bounds_the_chain(self):
        workspace = self.workspace({"sequence": [{"event": "E"}, {"event": "E"}], "within": "60s"})
        self.track(workspace)
        workspace.advance(NOW + 60_000)
        self.track(workspace)
        self.assertEqual(self.rows(workspace), [])
        workspace.advance(NOW + 119_999)
        self.track(workspace)
        workspace.advance(NOW + 10 * DAY)
        self.assertEqual(self.rows(workspace), [("entered", 119_999, "event")])

    def test_one_event_does_not_match_two_steps(self):
        workspace = self.workspace({"sequence": [{"event": "*"}, {"event": "E"}]})
        self.track(workspace)
        self.assertEqual(self.rows(workspace), [])

    def test_a_long_string_exists_and_nothing_else(self):
        long = "x" * 65
        self.assertTrue(self.value("last", "exists", None, long))
        self.assertTrue(self.value("last", "neq", long, long))
        self.assertFalse(self.value("last", "contains", "x", long))
        self.assertTrue(self.value("last", "contains", "x", "x" * 64))

    def orders(self, expression, *messages):
        """The rows of somebody with these events, a second after one another."""
        workspace = self.workspace(expression)
        for name, properties, *late in messages:
            at = {"timestamp": late[0]} if late else {}
            self.track(workspace, event=f"Order {name}", properties=properties, **at)
            workspace.advance(workspace.now + 1000)
        return self.rows(workspace)

    PAID = {"event": "Order Completed", "aggregate": "sum", "property": "revenue", "op": "gte",
            "value": 10}

    def test_a_correction_replaces_top_level_properties(self):
        self.assertEqual(self.orders(self.PAID, ("Completed", {"order_id": "7", "revenue": 5}),
                                     ("Updated", {"order_id": 7, "revenue": 10}),
                                     ("Updated", {"order_id": "7", "revenue": None})),
                         [("entered", 1000, "event"), ("exited", 2000, "event")])

    def test_corrections_are_laid_on_in_the_order_of_their_time(self):
        self.assertEqual(self.orders(self.PAID, ("Completed", {"order_id": "7", "revenue": 5}),
                                     ("Updated", {"order_id": "7", "revenue": 10}),
                                     ("Updated", {"order_id": "7", "revenue": 1},
                                      "2026-01-01")), [("entered", 1000, "event")])

    def test_a_correction_waits_for_its_original(self):
        self.assertEqual(self.orders(self.PAID, ("Updated", {"order_id": "7", "revenue": 10}),
                                     ("Completed", {"order_id": "7", "revenue": 5})),
                         [("entered", 1000, "event")])

    def test_what_is_cancelled_is_gone_for_good(self):
        self.assertEqual(self.orders(self.PAID, ("Completed", {"order_id": "7", "revenue": 10}),
                                     ("Cancelled", {"order_id": "7"}),
                                     ("Updated", {"order_id": "7", "revenue": 20})),
                         [("entered", 0, "event"), ("exited", 1000, "event")])

    def test_a_correction_counts_under_its_own_name(self):
        leaf = {"event": "Order Updated", "op": "gte", "value": 1}
        self.assertEqual(self.orders(leaf, ("Completed", {"order_id": "7"}),
                                     ("Updated", {"order_id": "8"})),
                         [("entered", 1000, "event")])

    def test_a_correction_of_the_future_begins_at_its_time(self):
        workspace = self.workspace(self.PAID)
        self.track(workspace, event="Order Completed", properties={"order_id": "7"})
        self.track(workspace, event="Order Updated", messageId="later",
                   properties={"order_id": "7", "revenue": 10}, timestamp="2026-01-10T12:05:00Z")
        workspace.advance(NOW + DAY)
        self.assertEqual(self.rows(workspace), [("entered", 300_000, "event")])
        self.assertEqual(workspace.persons[("user", "u")].rows[0].message_ids, ["later"])

    def test_every_form_is_told(self):
        expression = {"and": [
            {"event": "*", "aggregate": "first", "property": "tags", "op": "in", "value": ["a"],
             "within": "2d", "until": "1d",
             "where": {"not": {"property": "at", "op": "within_last", "value": "1d"}}},
            {"sequence": [{"event": "A"}, {"event": "*"}], "within": "1d"},
            {"not": {"segment": "s0"}}, {"trait": "t", "op": "absent"}]}
        self.assertEqual(set(forms_of(expression)), {
            "and", "not", "segment", "any event", "originals", "first in", "first within until",
            "set in", "where not", "where within_last", "first of time tests", "sequence within",
            "sequence 2 steps", "sequence any event", "trait absent"})
        self.assertTrue(set(forms_of(expression)) - {"originals"} < set(FORMS))

    def test_forms_that_were_not_met_are_named(self):
        coverage = Coverage()
        coverage.add({"segment": "s0"}, 1000, 0)
        missed, times = coverage.missed(1)
        self.assertEqual((times, len(missed)), (1000, len(FORMS) - 1))
        self.assertEqual(coverage.missed(0.5), ([], 0))

    def test_a_missing_value_passes_only_negations_and_absent(self):
        passing = [op for op, value in
                   [("eq", 1), ("neq", 1), ("in", [1]), ("not_in", [1]), ("gt", 0), ("lt", 9),
                    ("exists", None), ("absent", None), ("contains", "x"), ("within_last", "1d"),
                    ("before", "2026-01-01")] if Test(op, value).passes(None, NOW)]
        self.assertEqual(passing, ["neq", "not_in", "absent"])

    def test_types_are_told_apart(self):
        self.assertFalse(Test("eq", "5").passes(5.0, NOW))
        self.assertFalse(Test("eq", 1).passes(True, NOW))
        self.assertTrue(Test("eq", 5).passes(value_of(5.0), NOW))
        self.assertTrue(Test("contains", "a").passes(["a", "b"], NOW))
        self.assertFalse(Test("contains", "a").passes(["ab"], NOW))
        self.assertTrue(Test("starts_with", "a").passes(["ab"], NOW))

    def test_an_exact_name_comes_before_a_path(self):
        self.assertEqual(find({"a.b": 1, "a": {"b": 2}}, "a.b"), 1.0)
        self.assertEqual(find({"a": {"b": 2}}, "a.b"), 2.0)

    def test_instants_have_seconds_and_may_lack_an_offset(self):
        self.assertEqual(parse_instant("2026-01-10t21:00:00.0009+09:00"), NOW)
        self.assertEqual(parse_instant("2026-01-10T12:00:00"), NOW)
        for text in ("2026-01-10T12:00Z", "2026-01-10 12:00:00Z", "2026-01-10T12:00:60Z",
                     "2026-02-30"):
            self.assertIsNone(parse_instant(text))


def run():
    """(passed, failed)"""
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Rules)
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    return result.testsRun - failed, failed
