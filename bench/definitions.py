"""The 100 live segments of the measurements, over what bench/load sends: 60 counts over equality
filters, 20 over numeric thresholds that are all different, 20 sums; windows of 1 minute to a
day."""

EVENTS = ("Order Completed", "Product Added", "Product Viewed", "Product Clicked",
          "Cart Viewed", "Checkout Started", "Product Removed", "Coupon Applied")
CATEGORIES = ("outdoor", "beauty", "kitchen", "fashion", "books", "accommodation", "toys",
              "groceries")
WINDOWS = ("1m", "2m", "5m", "10m", "15m", "30m", "1h", "2h", "3h", "6h", "12h", "1d")
COUNT_COUNT, THRESHOLD_COUNT, SUM_COUNT = 60, 20, 20


def _body(name, aggregate, event, test, within, value):
    return {"name": name, "expression": {"event": event, "where": test, "within": within,
                                         "op": "gte", "value": value, **aggregate}}


def _is(category):
    return {"property": "category", "op": "eq", "value": category}


def _window(i):
    return WINDOWS[i % len(WINDOWS)]


def _count(i):
    """60 of the 64 pairs of event and category."""
    return _body(f"count {i}", {"aggregate": "count"}, EVENTS[i % 8], _is(CATEGORIES[i // 8]),
                 _window(i), 2 + i % 9)


def _threshold(i):
    """Amounts lie between 1,000 and 10,000."""
    return _body(f"threshold {i}", {"aggregate": "count"}, EVENTS[i % 4],
                 {"property": "revenue", "op": "gte", "value": 9900 - i * 100}, _window(i * 5),
                 2 + i % 4)


def _sum(i):
    return _body(f"sum {i}", {"aggregate": "sum", "property": "revenue"}, EVENTS[i % 8],
                 _is(CATEGORIES[i * 3 % 8]), _window(i * 7), 20000 + i * 1000)


def segments():
    made = ([_count(i) for i in range(COUNT_COUNT)]
            + [_threshold(i) for i in range(THRESHOLD_COUNT)] + [_sum(i) for i in range(SUM_COUNT)])
    assert len({str(segment["expression"]) for segment in made}) == 100
    return made
