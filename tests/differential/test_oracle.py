"""The oracle itself against answers worked out by hand from contracts.md."""
import unittest

from evaluate import DAY, Test, find, millionths, parse_instant, value_of
from oracle import Workspace

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
