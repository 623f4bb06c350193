"""Deliberate small faults: exact replacements in src/, each of which the tests must catch.

A fault is a name and replacements (file, text, other text). A text has to occur exactly once,
blanks and line ends aside, so that a fault which no longer fits the code fails the run instead of
testing nothing. Replacements must compile.
"""


class Fault:
    def __init__(self, name, *replacements):
        self.name = name
        self.replacements = replacements


FAULTS = [
    # ---- Windows and time ----
    Fault("a window still holds an event at its end",
          ("src/engine/apply/series.c",
           "if (span_end_ms(span, series->times_ms[middle]) <= now_ms)",
           "if (span_end_ms(span, series->times_ms[middle]) < now_ms)")),
    Fault("a shared counting rule still holds at the end of its window",
          ("src/engine/apply/ladder.c",
           "if (ladder->rungs[middle].within_ms > age_ms)",
           "if (ladder->rungs[middle].within_ms >= age_ms)")),
    Fault("a sum still holds at the end of its window",
          ("src/engine/apply/gauge.c", "INT64_MIN : now_ms - within_ms + 1;",
           "INT64_MIN : now_ms - within_ms;")),
    Fault("an average without events is compared",
          ("src/engine/apply/gauge.c", "if (level->count == 0) return false;",
           "")),
    Fault("a late event is stored but does not count",
          ("src/engine/apply/partition.c",
           "look_before(partition, record->slot, profile, arrival->received_ms); store(",
           "if (arrival->time_ms < profile->newest_event_ms) partition->touched.count = 0;"
           "look_before(partition, record->slot, profile, arrival->received_ms); store(")),
    Fault("a late event that is not the newest does not lift shared counting rules",
          ("src/engine/apply/ladder.c", "if (nth_ms > time_ms) continue;",
           "if (nth_ms != time_ms) continue;")),
    Fault("timers fire a millisecond late",
          ("src/engine/apply/step.c", "timers_add(&partition->timers, slot, due_ms);",
           "timers_add(&partition->timers, slot, due_ms + 1);"),
          ("src/engine/apply/step.c", "profile->armed_ms = due_ms;",
           "profile->armed_ms = due_ms + 1;")),
    Fault("a timer does not arm the next one",
          ("src/engine/apply/partition.c",
           "for (uint32_t i = 0; features != NULL && i < features->count; i++)"
           " step_arm(partition, slot, profile, features->items[i].next_ms);",
           "for (uint32_t i = 1; features != NULL && i < features->count; i++)"
           " step_arm(partition, slot, profile, features->items[i].next_ms);")),
    Fault("`until` is ignored",
          ("src/engine/apply/series.c",
           "walk.started = count_before(series, walk.limit, now_ms - span->until_ms + 1);",
           "walk.started = count_before(series, walk.limit, now_ms + 1);"),
          ("src/engine/apply/series.c", "return time_ms + span->until_ms;", "return time_ms;")),
    Fault("an event of the future counts at once",
          ("src/engine/apply/series.c",
           "walk.started = count_before(series, walk.limit, now_ms - span->until_ms + 1);",
           "walk.started = walk.limit;")),
    Fault("events are forgotten a day late",
          ("src/engine/apply/series.c", ": instant_floor_day_ms(time_ms) + span->retention_ms;",
           ": instant_floor_day_ms(time_ms) + span->retention_ms + DAY_MS;")),
    Fault("`between` ends a millisecond late",
          ("src/engine/apply/series.c",
           "walk.limit = count_before(series, series->count, span->to_ms);",
           "walk.limit = count_before(series, series->count, span->to_ms + 1);")),
    Fault("`within_last` of a where still holds at its end",
          ("src/model/evaluate.c",
           "return at_ms <= now_ms && now_ms < at_ms + test->duration_ms;",
           "return at_ms <= now_ms && now_ms <= at_ms + test->duration_ms;")),
    Fault("days are rounded up",
          ("src/model/evaluate_aggregate.c",
           "return days_pass(test, (now_ms - event_ms) / DAY_MS);",
           "return days_pass(test, (now_ms - event_ms + DAY_MS - 1) / DAY_MS);")),

    # ---- Values ----
    Fault("`neq` of what is missing is false",
          ("src/model/evaluate.c", "case EXPR_NOT_IN: return !equals_some(test, value);",
           "case EXPR_NOT_IN: return value->type != VALUE_NONE && !equals_some(test, value);")),
    Fault("a negative amount is not subtracted",
          ("src/model/evaluate.c",
           "return value_number(&value, &number) && decimal_of(number, ret_millionths);",
           "return value_number(&value, &number) && number >= 0 &&"
           " decimal_of(number, ret_millionths);")),
    Fault("amounts are cut off instead of rounded",
          ("src/base/decimal.c", "if (rest > half || (rest == half && result % 2 != 0)) result++;",
           "(void)rest; (void)half;")),
    Fault("the average is a whole number of millionths",
          ("src/model/evaluate_aggregate.c",
           "if (aggregate->form == FORM_AVERAGE) scaled *= aggregate->count;",
           "if (aggregate->form == FORM_AVERAGE && aggregate->count > 0)"
           " return (aggregate->millionths / (__int128)aggregate->count > scaled) -"
           " (aggregate->millionths / (__int128)aggregate->count < scaled);")),
    Fault("an average of nothing is 0",
          ("src/model/evaluate_aggregate.c", ".missing = count == 0, .count = count,",
           ".missing = false, .count = count,")),
    Fault("the least number stays when its event has ended",
          ("src/engine/apply/aggregate.c",
           "look->begin < look->end && look->extreme >= walk->ended;",
           "look->begin < look->end;")),
    Fault("distinct takes 1 and true for the same",
          ("src/model/evaluate_aggregate.c",
           "*ret_key = (struct distinct_key){KEY_BOOL, value->type == VALUE_TRUE};",
           "*ret_key = number_key(value->type == VALUE_TRUE);")),
    Fault("`first` is that of the last",
          ("src/engine/apply/aggregate.c",
           "leaf->aggregate == EXPR_FIRST ? walk->ended : walk->started - 1) != 0;",
           "walk->started - 1) != 0;")),

    # ---- Sequences ----
    Fault("steps of a sequence may share an event",
          ("src/model/sequence.c",
           "unsigned last = sequence->step_count - 1; for (unsigned i = last; i > 0; i--) {",
           "unsigned last = sequence->step_count - 1;"
           " if ((steps & 1) != 0) run->starts_ms[0] = time_ms;"
           " for (unsigned i = 1; i <= last; i++) {")),
    Fault("a sequence may take as long as its window",
          ("src/model/sequence.c", "} else if (time_ms - start_ms < sequence->within_ms) {",
           "} else if (time_ms - start_ms <= sequence->within_ms) {")),
    Fault("`ended_within` is ignored",
          ("src/model/sequence.c",
           "if (sequence->ended_within_ms == INSTANT_MS_NEVER ||"
           " end_ms < run->last_ms + sequence->ended_within_ms)",
           "if (sequence->ended_within_ms > 0 ||"
           " end_ms < run->last_ms + sequence->ended_within_ms)")),

    # ---- Stored events ----
    Fault("a message id is known for all persons",
          ("src/events/event.c", "key + slot * UINT64_C(0x9e3779b97f4a7c15));", "key + 0 * slot);"),
          ("src/events/tail.c",
           "if (entry->message_hash != message_hash || entry->slot != slot ||",
           "if (entry->message_hash != message_hash ||")),
    Fault("a damaged block of stored events is read",
          ("src/events/part_guard.c", "part_guard_fail(guard, begin);", "(void)begin;")),
    Fault("a damaged column is read before it is compared",
          ("src/events/column.c",
           "column_touch(column, ret_text->data, ret_text->length); return true; }"
           " if (column->encoding == ENCODING_DICT)",
           "return true; } if (column->encoding == ENCODING_DICT)"),
          ("src/events/column.c",
           "*ret_text = (struct text){column->texts + begin, end - begin};"
           " column_touch(column, ret_text->data, ret_text->length);",
           "*ret_text = (struct text){column->texts + begin, end - begin};")),
    Fault("a message id is never free again",
          ("src/events/tail.c",
           "events_end_ms(entry->time_ms, retention_ms) <= now_ms) continue;",
           "(events_end_ms(entry->time_ms, retention_ms) <= now_ms && slot == UINT32_MAX))"
           " continue;")),
    Fault("events of one time are in the wrong order",
          ("src/events/event.c", "return event_compare_acceptance(a, b);",
           "return event_compare_acceptance(b, a);")),

    # ---- Rules, history, definitions ----
    Fault("a derived segment is evaluated together with its base",
          ("src/engine/catalog/catalog.c", "level = catalog->rules.items[other].level + 1;",
           "level = catalog->rules.items[other].level;")),
    Fault("a definition becomes live without its difference",
          ("src/engine/definition/activate.c",
           "for (size_t i = 0; i < activation->differences.count; i++) {"
           " const struct difference *difference",
           "for (size_t i = 0; i < 0 * activation->differences.count; i++) {"
           " const struct difference *difference")),
    Fault("an exit bears the time of its processing",
          ("src/engine/apply/partition.c", "fire_person(partition, due->items[i], profile, at_ms);",
           "fire_person(partition, due->items[i], profile, now_ms);")),
    Fault("enteredAt is when the person came into being",
          ("src/engine/apply/step.c", "membership->since_ms = since_ms;",
           "membership->since_ms = profile->created_ms;")),
    Fault("an entry by a trait is told as one by an event",
          ("src/engine/apply/partition.c",
           "step_touch_all(partition, record->slot, &partition->catalog.traits.items[trait].rules,"
           " CAUSE_TRAIT, 0);",
           "step_touch_all(partition, record->slot, &partition->catalog.traits.items[trait].rules,"
           " CAUSE_EVENT, 0);")),
    Fault("a change that was undone within its step is told",
          ("src/engine/apply/step.c", "if (holds == was) return;",
           "if (holds == was && !rule->derived.count) return;")),

    # ---- Merges and corrections ----
    Fault("a merge leaves the visitor's events behind",
          ("src/engine/merge/merge.c",
           "add_traits(profile, &encoding); add_calls(partition, &encoding);",
           "add_traits(profile, &encoding);")),
    Fault("a merge takes one trait less",
          ("src/engine/merge/merge.c",
           "for (struct value_reader r = value_read(profile_traits(profile)); value_next(&r);) {"
           " const struct sealed_block *block",
           "struct value_reader r = value_read(profile_traits(profile));"
           "for (value_next(&r); value_next(&r);) {"
           " const struct sealed_block *block")),
    Fault("a merged visitor's trait replaces that of the user",
          ("src/engine/merge/merge.c",
           "value_find(profile_traits(profile), r.name, r.hash).type != VALUE_NONE) continue;",
           "r.name.length == 0) continue;")),
    Fault("a visitor who is merged does not exit",
          ("src/engine/merge/merge.c", "for (size_t i = 0; i < list.count; i++) step_emit(",
           "for (size_t i = 0; i < 0 * list.count; i++) step_emit(")),
    Fault("what reaches a merged visitor is not forwarded",
          ("src/engine/merge/merge.c",
           "if (closed == NULL || event->position < closed->position) return false;",
           "if (closed == NULL || event->position < closed->position || true) return false;")),
    Fault("a merged message id counts twice",
          ("src/engine/merge/merge.c",
           "!facts_first(partition, receiving->slot, profile, event, receiving->at_ms)) return;",
           "(facts_first(partition, receiving->slot, profile, event, receiving->at_ms), false))"
           " return;")),
    Fault("a correction is not laid over its original",
          ("src/engine/fact/facts.c",
           "fact->properties = overlay(versions, before, list->items[i].record.properties);",
           "fact->properties = before;")),
    Fault("the last of several originals is corrected",
          ("src/engine/fact/facts.c", "if (fact != NULL && fact->original == SIZE_MAX)",
           "if (fact != NULL)")),
    Fault("a correction that has ceased to exist still corrects",
          ("src/engine/fact/facts.c", "if (end_ms < next_ms)",
           "if (end_ms < next_ms && part == FACT_ORIGINAL)")),
    Fault("a fact changes by time without a timer",
          ("src/engine/fact/facts.c", "step_arm(partition, slot, profile, next_ms);",
           "(void)profile;")),
    Fault("a correction touches only what its new version matches",
          ("src/engine/fact/amend.c",
           "touch(amend, &before->items[i]); touch(amend, &after->items[j]);",
           "touch(amend, &after->items[j]);")),
    Fault("a merge of several appends begins each at the first event",
          ("src/engine/merge/merge.c",
           "if (cursor->calls && event_compare(&list.items[i], &cursor->call) <= 0) continue;",
           "")),
    Fault("a merge is sent again though it is in flight",
          ("src/engine/merge/relay.c",
           "if (!live || atomic_load(&outbox->flight) != FLIGHT_NONE ||",
           "if (!live ||")),
    Fault("a correction's null keeps the property",
          ("src/engine/fact/facts.c",
           "if (value_find(correction, r.name, r.hash).type != VALUE_NONE) continue;",
           "if (value_find(correction, r.name, r.hash).type > VALUE_NULL) continue;")),
    Fault("a cancelled fact still counts",
          ("src/engine/fact/facts.c", "if (fact != NULL && part == FACT_CANCELLED)",
           "if (fact != NULL && part == FACT_CANCELLED && versions->now_ms < 0)")),
    Fault("a correction of the future takes effect at once",
          ("src/engine/fact/facts.c", "event->time_ms <= versions->now_ms ? part : FACT_NONE;",
           "versions->now_ms >= 0 ? part : FACT_NONE;")),

    # ---- Restarts ----
    Fault("a restart applies the last record of a block twice",
          ("src/engine/checkpoint/resume.c", "position <= resume->blocks.items[block];",
           "position < resume->blocks.items[block];")),
    Fault("a restart emits the last change of a checkpoint again",
          ("src/engine/checkpoint/resume.c", "changes_skip(changes, resume->change_count);",
           "changes_skip(changes, resume->change_count - (resume->change_count > 0));")),
]
