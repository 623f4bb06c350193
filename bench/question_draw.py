"""Random questions about an audience, each as an expression and as SQL over two tables that hold
the same: `persons` (id, the traits, and a column for each metric) and `events` (name, id, time_ms
and the properties). SQL that DuckDB and ClickHouse both read.

A filter is a function of a random source that answers (expression, function of as_of → SQL)."""
DAY_MS = 86_400_000

TRAITS = {
    "membership_tier": ("VIP", "GOLD", "SILVER", "BASIC"),
    "device_type": ("mobile", "desktop", "tablet"),
    "gender": ("F", "M"),
    "age_band": ("10s", "20s", "30s", "40s", "50s", "60s"),
    "language": ("ko", "en"),
    "acquisition_channel": ("organic", "search_ad", "email", "referral", "social", "affiliate"),
    "region": ("제주", "부산", "서울", "강릉", "경주", "전주", "속초", "여수"),
}
# Metrics that are kept as columns, since filters of their own ask for them: name, expression
# without its test, SQL over `events`, from which values a limit is drawn; METRIC_TEXTS in the
# notation of templates.
METRICS = (
    ("views", {"event": "Product Viewed", "aggregate": "count"},
     "sum(case when name = 'Product Viewed' then 1 else 0 end)", (1, 12)),
    ("searches", {"event": "Products Searched", "aggregate": "count"},
     "sum(case when name = 'Products Searched' then 1 else 0 end)", (1, 6)),
    ("adds", {"event": "Product Added", "aggregate": "count"},
     "sum(case when name = 'Product Added' then 1 else 0 end)", (1, 4)),
    ("carts", {"event": "Cart Viewed", "aggregate": "count"},
     "sum(case when name = 'Cart Viewed' then 1 else 0 end)", (1, 3)),
    ("added", {"event": "Product Added", "aggregate": "sum", "property": "price"},
     "sum(case when name = 'Product Added' then price else 0 end)", (50_000, 900_000)),
)
METRIC_TEXTS = {
    "views": 'count("Product Viewed")', "searches": 'count("Products Searched")',
    "adds": 'count("Product Added")', "carts": 'count("Cart Viewed")',
    "added": 'sum(price of "Product Added")',
}
SCANNED = ("Product Viewed", "Products Searched", "Product Added", "Product Added to Wishlist")


def _quoted(values):
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _some(chance, values):
    return sorted(chance.sample(values, chance.randint(1, max(1, len(values) * 2 // 3))))


def trait_filter(chance):
    name = chance.choice(list(TRAITS))
    values = _some(chance, TRAITS[name])
    return ({"trait": name, "op": "in", "value": values},
            lambda as_of: f"{name} in ({_quoted(values)})")


def since_filter(chance):
    days = chance.randint(30, 1000)
    return ({"trait": "created_at", "op": "within_last", "value": f"{days}d"},
            lambda as_of: f"(signed_up_ms > {as_of - days * DAY_MS} and signed_up_ms <= {as_of})")


def metric_filter(chance):
    column, expression, _, (least, most) = chance.choice(METRICS)
    limit = chance.randint(least, most)
    return {**expression, "op": "gte", "value": limit}, lambda as_of: f"{column} >= {limit}"


def column_filter(chance):
    return chance.choices((trait_filter, metric_filter, since_filter), (5, 3, 1))[0](chance)


def scan_filter(chance):
    """A count that nobody keeps: of one event with a test of a property, in a window."""
    event, days, least = chance.choice(SCANNED), chance.randint(7, 365), chance.randint(1, 3)
    if chance.random() < 0.5 and event != "Products Searched":
        price = chance.randint(30_000, 400_000)
        where, test = {"property": "price", "op": "gte", "value": price}, f"price >= {price}"
    else:
        regions = _some(chance, TRAITS["region"])
        where = {"property": "region", "op": "in", "value": regions}
        test = f"region in ({_quoted(regions)})"
    return ({"event": event, "where": where, "aggregate": "count", "within": f"{days}d",
             "op": "gte", "value": least},
            lambda as_of: f"id in (select id from events where name = '{event}' and {test} and "
                          f"time_ms > {as_of - days * DAY_MS} and time_ms <= {as_of} "
                          f"group by id having count(*) >= {least})")


def question(chance, columns, scans=0):
    """All filters of the question hold, or, of half of those with 8 and more columns, as pairs of
    which one does: else hardly anybody is left."""
    filters = [column_filter(chance) for _ in range(columns)]
    filters += [scan_filter(chance) for _ in range(scans)]
    if columns < 8:
        return ({"and": [expression for expression, _ in filters]},
                lambda as_of: " and ".join(sql(as_of) for _, sql in filters))
    size = columns // 4
    groups = [filters[i:i + size] for i in range(0, len(filters), size)]
    return ({"and": [{"or": [expression for expression, _ in group]} for group in groups]},
            lambda as_of: " and ".join(
                "(" + " or ".join(sql(as_of) for _, sql in group) + ")" for group in groups))


def jeju_vip():
    """제주 + VIP + the last 30 days, as the customer's marketers ask it."""
    return ({"and": [
        {"event": "Product Viewed", "where": {"property": "region", "op": "in", "value": ["제주"]},
         "aggregate": "count", "op": "gte", "value": 1},
        {"trait": "membership_tier", "op": "eq", "value": "VIP"},
        {"event": "*", "aggregate": "count", "within": "30d", "op": "gte", "value": 1}]},
        lambda as_of: "id in (select id from events where name = 'Product Viewed' and "
                      f"region = '제주' and time_ms <= {as_of}) and membership_tier = 'VIP' and "
                      f"last_ms > {as_of - 30 * DAY_MS}")
