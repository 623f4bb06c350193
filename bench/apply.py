"""Row 3: how fast one partition applies what lies in the journal, with up to 10,000 live segments:
decode, dedupe, tail, windows, memberships, change stream. Processor time of one thread
(`engine_bench`; its mixes stand in engine_mix.h)."""
import json
import subprocess

import machine
from figure import Figure, less_is_better, more_is_better
from programs import build

PERSONS, PERSONS_QUICK = 5_000_000, 200_000
EVENTS, EVENTS_QUICK = 5_000_000, 500_000
BYTES_A_PERSON = 3000  # that a run takes at most, with its events
# mix, segments, least events a second
RUNS = (("counts", 100, None), ("counts", 10_000, 4_000_000),
        ("mix", 100, None), ("mix", 10_000, 2_000_000), ("unshared", 10_000, 2_000_000))
RATIO_MIN = 0.5
NAMES = {"counts": "counts over equality filters", "mix": "mix",
         "unshared": "no two segments share a feature"}
FEATURES_MATCHED_MAX = 8
MEMBERSHIP_BYTES_MAX, FEATURE_BYTES_MAX = 12, 64


def _run(program, mix, segments, persons, events):
    output = subprocess.run([program, mix, str(segments), str(persons), str(events)],
                            capture_output=True, text=True, check=True).stdout
    return json.loads(output)


def measure(facts, quick=False):
    (program,) = build("engine_bench")
    room = int(machine.memory_available_bytes() * 0.8 / BYTES_A_PERSON)
    persons = PERSONS_QUICK if quick else min(PERSONS, room)
    events = EVENTS_QUICK if quick else EVENTS
    figures, rates = [], {}
    for mix, segments, least in RUNS:
        result = _run(program, mix, segments, persons, events)
        rates[mix, segments] = result["events_per_s"]
        figures.append(Figure(
            "3", f"apply, {NAMES[mix]}, {segments:,} segments", result["events_per_s"],
            "events/s a core", more_is_better(least) if least else None, "",
            f"{result['ns_per_event']:.0f} ns, {result['matching_features']:.1f} features matched "
            f"and {result['changes_per_event']:.2f} changes an event; "
            f"{result['persons']:,.0f} persons; a batch held its thread "
            f"{result['round_us_max']:,.0f} µs at most"))
        if segments > 100:
            figures += _memory(mix, result)
        if mix == "unshared":
            figures.append(Figure("3", "features matched, unshared", result["matching_features"],
                                  "an event", less_is_better(FEATURES_MATCHED_MAX), "", ""))
    for mix in ("counts", "mix"):
        ratio = rates[mix, 10_000] / rates[mix, 100]
        figures.append(Figure("3", f"apply, {NAMES[mix]}, 10,000 segments", ratio,
                              "× with 100", more_is_better(RATIO_MIN), "", ""))
    return figures


def _memory(mix, result):
    return [
        Figure("9", f"an active feature of a person, {NAMES[mix]}", result["bytes_per_feature"],
               "B", less_is_better(FEATURE_BYTES_MAX) if mix == "counts" else None, "",
               f"{result['features_per_person']:.1f} a person"),
        Figure("9", f"a membership, {NAMES[mix]}", result["bytes_per_membership"], "B",
               less_is_better(MEMBERSHIP_BYTES_MAX), "",
               f"{result['memberships_per_person']:.1f} a person"),
        Figure("9", f"a person overall, {NAMES[mix]}", result["profile_bytes_per_person"], "B",
               None, "", "features, memberships and profile, without stored events"),
    ]
