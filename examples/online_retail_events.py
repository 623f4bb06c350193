#!/usr/bin/env python3
"""Turns a year of real orders into events for `sonnim import`, JSON Lines on the standard output.

Each invoice of online_retail_2009_2010.csv.zst becomes one track message:

  {"type":"track","event":"Order Completed","messageId":"489434","userId":"13085",
   "timestamp":"2025-12-08T04:12:00.000Z",
   "properties":{"order_id":"489434","revenue":505.3,"currency":"GBP","country":"United Kingdom",
                 "item_count":166,"products":[{"product_id":"85048","name":"…","price":6.95,
                 "quantity":12},…]}}

An invoice whose number begins with C is an "Order Refunded" with a positive `total` in the place of
`revenue`, and positive quantities. The time of an invoice with several is the first; times are
taken as UTC and all moved alike, so that the newest event happens at --end (default: now).
Amounts are added as decimals. An event stays below 32 KB: of an invoice with very many lines only
the first products are listed, and `products_left_out` says how many are not.

Lines without a customer concern nobody: they are counted on the standard error and left out.
"""
import argparse
import csv
import datetime
import io
import json
import pathlib
import subprocess
import sys
from decimal import Decimal

HERE = pathlib.Path(__file__).resolve().parent
ORDERS = HERE / "online_retail_2009_2010.csv.zst"

EVENT_BYTES_MAX = 32 * 1024
PRODUCTS_BYTES_MAX = EVENT_BYTES_MAX - 1024  # what stands around them stays well below 1 KB


class Invoice:
    def __init__(self, number, customer, country, time):
        self.number = number
        self.customer = customer
        self.country = country
        self.time = time
        self.total = Decimal(0)
        self.item_count = 0
        self.products = []

    @property
    def refund(self):
        return self.number.startswith("C")

    def add(self, row, time):
        sign = -1 if self.refund else 1
        quantity = sign * int(row["quantity"])
        price = Decimal(row["price"])
        self.time = min(self.time, time)
        self.total += quantity * price
        self.item_count += quantity
        self.products.append({"product_id": row["stock_code"], "name": row["description"],
                              "price": number(price), "quantity": quantity})


class Counts:
    """What a reader of the file may check: see tests/unit/examples."""

    def __init__(self):
        self.lines = 0
        self.invoices = 0
        self.lines_without_customer = 0
        self.invoices_without_customer = 0
        self.customers = 0
        self.orders = 0
        self.refunds = 0
        self.revenue = Decimal(0)
        self.refunded = Decimal(0)
        self.invoices_shortened = 0


def number(decimal):
    """The double whose shortest text is the decimal's (they have far fewer than 15 digits)."""
    return int(decimal) if decimal == decimal.to_integral_value() else float(decimal)


def encode(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_rows(path):
    """Rows of a CSV file, decompressed by the zstd command when its name ends in .zst."""
    if path.suffix != ".zst":
        with open(path, encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
        return
    with subprocess.Popen(["zstd", "-dc", "--", str(path)], stdout=subprocess.PIPE) as zstd:
        with io.TextIOWrapper(zstd.stdout, encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    if zstd.returncode != 0:
        raise SystemExit(f"{path}: zstd ended with {zstd.returncode}")


def read_invoices(rows, counts):
    """Invoices with a customer, oldest first, those of the same time in the file's order."""
    invoices, without_customer, customers = {}, set(), set()
    for row in rows:
        counts.lines += 1
        if not row["customer_id"]:
            counts.lines_without_customer += 1
            without_customer.add(row["invoice"])
            continue
        time = datetime.datetime.fromisoformat(row["invoice_date"])
        invoice = invoices.get(row["invoice"])
        if invoice is None:
            invoice = Invoice(row["invoice"], row["customer_id"], row["country"], time)
            invoices[row["invoice"]] = invoice
            customers.add(row["customer_id"])
        invoice.add(row, time)

    counts.invoices_without_customer = len(without_customer - invoices.keys())
    counts.invoices = len(invoices) + counts.invoices_without_customer
    counts.customers = len(customers)
    return sorted(invoices.values(), key=lambda invoice: invoice.time)


def take_products(products):
    """The first products whose JSON stays within PRODUCTS_BYTES_MAX."""
    size = 2
    for count, product in enumerate(products):
        size += len(encode(product).encode()) + 1
        if size > PRODUCTS_BYTES_MAX:
            return products[:count]
    return products


def make_event(invoice, shift, counts):
    products = take_products(invoice.products)
    properties = {"order_id": invoice.number,
                  "total" if invoice.refund else "revenue": number(invoice.total),
                  "currency": "GBP", "country": invoice.country,
                  "item_count": invoice.item_count, "products": products}
    if len(products) < len(invoice.products):
        properties["products_left_out"] = len(invoice.products) - len(products)
        counts.invoices_shortened += 1
    if invoice.refund:
        counts.refunds += 1
        counts.refunded += invoice.total
    else:
        counts.orders += 1
        counts.revenue += invoice.total
    time = (invoice.time + shift).isoformat(timespec="milliseconds") + "Z"
    return {"type": "track", "event": "Order Refunded" if invoice.refund else "Order Completed",
            "messageId": invoice.number, "userId": invoice.customer, "timestamp": time,
            "properties": properties}


def read_events(rows, end, counts):
    """All events, oldest first, the newest at `end` (a naive datetime in UTC)."""
    invoices = read_invoices(rows, counts)
    if not invoices:
        return
    shift = end - invoices[-1].time
    for invoice in invoices:
        yield make_event(invoice, shift, counts)


def parse_instant(text):
    instant = datetime.datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no offset: write it as 2026-01-31T12:00:00Z")
    return instant.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("input", nargs="?", type=pathlib.Path, default=ORDERS,
                        help="order lines as CSV, or .csv.zst (default: the file beside this one)")
    parser.add_argument("--end", type=parse_instant, metavar="INSTANT",
                        help="when the newest event happens, RFC 3339 (default: now)")
    arguments = parser.parse_args()
    end = arguments.end or datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)

    counts = Counts()
    sys.stdout.reconfigure(encoding="utf-8")
    for event in read_events(read_rows(arguments.input), end, counts):
        sys.stdout.write(encode(event) + "\n")
    print(f"{counts.orders + counts.refunds} events of {counts.customers} customers from "
          f"{counts.lines} lines: {counts.orders} orders of {counts.revenue} GBP, "
          f"{counts.refunds} refunds of {counts.refunded} GBP", file=sys.stderr)
    if counts.invoices_shortened:
        print(f"{counts.invoices_shortened} of them list only their first products",
              file=sys.stderr)
    print(f"left out, because they name no customer: {counts.lines_without_customer} lines, "
          f"that is {counts.invoices_without_customer} of {counts.invoices} invoices",
          file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(1)
