#!/usr/bin/env python3
"""Tests of examples/online_retail_events.py, on invoices made up here and on the committed file."""
import argparse
import datetime
import json
import pathlib
import sys
import unittest
from decimal import Decimal

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"
sys.path.insert(0, str(EXAMPLES))
sys.dont_write_bytecode = True
import online_retail_events as subject  # noqa: E402

END = datetime.datetime(2026, 1, 31, 12)


def row(invoice, quantity="1", price="1.00", date="2010-01-01 10:00:00", customer="7"):
    return {"invoice": invoice, "stock_code": "S", "description": "THING", "quantity": quantity,
            "invoice_date": date, "price": price, "customer_id": customer, "country": "Eire"}


def fold(*rows):
    counts = subject.Counts()
    return list(subject.read_events(rows, END, counts)), counts


class MadeUpInvoices(unittest.TestCase):
    def test_lines_of_an_invoice_become_one_order_with_their_exact_sum(self):
        events, _ = fold(row("1", "3", "0.10"), row("1", "1", "0.10"), row("1", "2", "0.001"))
        self.assertEqual(len(events), 1)
        self.assertEqual(events[0]["event"], "Order Completed")
        self.assertEqual(json.dumps(events[0]["properties"]["revenue"]), "0.402")
        self.assertEqual(events[0]["properties"]["item_count"], 6)
        self.assertEqual(len(events[0]["properties"]["products"]), 3)

    def test_an_invoice_that_begins_with_c_is_a_refund_with_a_positive_total(self):
        events, _ = fold(row("C1", "-3", "2.50"))
        self.assertEqual(events[0]["event"], "Order Refunded")
        self.assertEqual(events[0]["properties"]["total"], 7.5)
        self.assertNotIn("revenue", events[0]["properties"])
        self.assertEqual(events[0]["properties"]["products"][0]["quantity"], 3)

    def test_the_newest_event_happens_at_the_end_and_distances_stay(self):
        events, _ = fold(row("1", date="2010-01-01 10:00:00"), row("2", date="2010-01-02 10:00:30"))
        self.assertEqual([event["timestamp"] for event in events],
                         ["2026-01-30T11:59:30.000Z", "2026-01-31T12:00:00.000Z"])

    def test_an_invoice_with_several_times_happens_at_the_first(self):
        events, _ = fold(row("1", date="2010-01-01 10:01:00"), row("1", date="2010-01-01 10:00:00"),
                         row("2", date="2010-01-01 10:02:00"))
        self.assertEqual(events[0]["timestamp"], "2026-01-31T11:58:00.000Z")

    def test_lines_without_a_customer_are_counted_and_left_out(self):
        events, counts = fold(row("1"), row("2", customer=""), row("2", customer=""))
        self.assertEqual([event["messageId"] for event in events], ["1"])
        self.assertEqual((counts.lines_without_customer, counts.invoices_without_customer), (2, 1))

    def test_an_event_stays_below_its_limit_and_says_what_it_leaves_out(self):
        events, counts = fold(*[row("1", "2", "1.25") for _ in range(2000)])
        self.assertLess(len(subject.encode(events[0]).encode()), subject.EVENT_BYTES_MAX)
        properties = events[0]["properties"]
        self.assertEqual(len(properties["products"]) + properties["products_left_out"], 2000)
        self.assertEqual(properties["revenue"], 5000)
        self.assertEqual(counts.invoices_shortened, 1)

    def test_an_instant_without_offset_is_refused(self):
        with self.assertRaises(argparse.ArgumentTypeError):
            subject.parse_instant("2026-01-31T12:00:00")
        self.assertEqual(subject.parse_instant("2026-01-31T21:00:00+09:00"), END)


class CommittedFile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.counts = subject.Counts()
        cls.events = list(subject.read_events(subject.read_rows(subject.ORDERS), END, cls.counts))

    def test_all_its_lines_invoices_and_customers_are_accounted_for(self):
        counts = self.counts
        self.assertEqual((counts.lines, counts.invoices, counts.customers), (525461, 28816, 4383))
        self.assertEqual(counts.lines - counts.lines_without_customer, 417534)
        self.assertEqual(counts.orders + counts.refunds + counts.invoices_without_customer, 28816)

    def test_the_events_carry_its_whole_turnover(self):
        def total(name):
            values = (event["properties"].get(name, 0) for event in self.events)
            return sum(Decimal(json.dumps(value)) for value in values)
        self.assertEqual(total("revenue"), Decimal("8832003.274"))
        self.assertEqual(total("total"), Decimal("483794.70"))

    def test_message_ids_are_unique_and_times_ascend_to_the_end(self):
        self.assertEqual(len({event["messageId"] for event in self.events}), len(self.events))
        times = [event["timestamp"] for event in self.events]
        self.assertEqual(times, sorted(times))
        self.assertEqual(times[-1], "2026-01-31T12:00:00.000Z")

    def test_no_event_needs_to_be_shortened(self):
        self.assertEqual(self.counts.invoices_shortened, 0)


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(0 if result.wasSuccessful() else 1)
