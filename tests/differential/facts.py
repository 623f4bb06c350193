"""What leaves see of a person's events: the newest version of each fact (rule 26)."""
from values import Event, find

ORIGINAL, UPDATED, CANCELLED = range(3)
TYPES = [(("Order Completed", "Order Updated", "Order Cancelled"), "order_id"),
         (("Booking Created", "Booking Updated", "Booking Cancelled"), "booking_id")]
PARTS = {name: (names[ORIGINAL], part, key)
         for names, key in TYPES for part, name in enumerate(names)}
CORRECTIONS = {name for name, (_, part, _) in PARTS.items() if part != ORIGINAL}


def fact_of(event):
    """(original type, key), or None: it is about no fact."""
    if event.name not in PARTS:
        return None
    original, _, property_name = PARTS[event.name]
    key = find(event.properties, property_name)
    if isinstance(key, float):
        key = str(int(key)) if key.is_integer() else repr(key)
    if not isinstance(key, str) or not 0 < len(key.encode()) <= 64:
        return None
    return original, key


def corrects(event, name):
    """Whether it may change what is seen of the events of that name."""
    return event.name in CORRECTIONS and PARTS[event.name][0] == name


def overlaid(event, correction):
    properties = {**event.properties, **correction.properties}
    return Event(event.name, {name: value for name, value in properties.items()
                              if value is not None},
                 event.context, event.time, event.received, event.gone, event.message_id)


def seen(events, now):
    """Those that exist, in the order of their acceptance, as corrected."""
    existing = [event for event in events if event.exists(now)]
    if not any(event.name in CORRECTIONS for event in existing):
        return existing
    order = sorted(range(len(existing)), key=lambda i: (existing[i].time, existing[i].received))
    facts = [fact_of(event) for event in existing]
    originals = {}
    for i in order:
        if facts[i] and PARTS[existing[i].name][1] == ORIGINAL:
            originals.setdefault(facts[i], i)
    versions = dict(enumerate(existing))
    for i in order:
        part = PARTS[existing[i].name][1] if facts[i] in originals else ORIGINAL
        at = originals.get(facts[i])
        if part == CANCELLED:
            versions.pop(at, None)
        elif part == UPDATED and at in versions:
            versions[at] = overlaid(versions[at], existing[i])
    return [versions[i] for i in sorted(versions)]


def is_corrected(events, now):
    existing = [event for event in events if event.exists(now)]
    visible = seen(events, now)
    return len(existing) != len(visible) or any(a is not b for a, b in zip(existing, visible))


def versions(events):
    """Every version of an event that is seen at any time."""
    if not any(event.name in CORRECTIONS for event in events):
        return events
    instants = {at for event in events if event.name in PARTS for at in (event.time, event.gone)}
    corrected = [event for at in instants for event in seen(events, at)
                 if not any(event is other for other in events)]
    return events + corrected
