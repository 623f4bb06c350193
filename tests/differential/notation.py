"""Definitions in the text notation: written from its grammar in contracts.md, with blanks, case and
parentheses at random, since they mean nothing."""
import json
import re

KEYWORDS = set("""and or not segment trait sequence count sum avg min max distinct first last
days_since_last days_since_first of where within until between then ended_within in contains
starts_with ends_with exists absent within_last within_next before after true false""".split())
SIGNS = {"eq": "=", "neq": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
BARE = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.]*\Z", re.ASCII)
OR, AND, NOT, ATOM = range(4)  # how tightly they bind


class Notation:
    def __init__(self, random):
        self.random = random

    def text(self, expression):
        return self._expr(expression, OR)

    # ---- Words ----

    def _blank(self):
        return self.random.choice([" ", " ", " ", "\n", "  ", "\t"])

    def _join(self, *words):
        return self._blank().join(word for word in words if word)

    def _key(self, word):
        return self.random.choice([word, word, word.upper(), word.title()])

    def _name(self, name):
        if BARE.match(name) and name.lower() not in KEYWORDS and self.random.random() < 0.8:
            return name
        return json.dumps(name, ensure_ascii=self.random.random() < 0.3)

    def _what(self, what):
        name = "*" if what["event"] == "*" and self.random.random() < 0.7 \
            else self._name(what["event"])
        if "where" not in what:
            return name
        return self._join(name, self._key("where"), self._where(what["where"], OR))

    # ---- Tests ----

    def _test(self, test):
        op, value = test["op"], test.get("value")
        if op in ("exists", "absent"):
            return self._key(op)
        if op in ("within_last", "within_next"):
            return self._join(self._key(op), value)
        written = json.dumps(value, ensure_ascii=False)
        if op == "not_in":
            return self._join(self._key("not"), self._key("in"), written)
        return self._join(SIGNS.get(op) or self._key(op), written)

    def _where(self, where, demanded):
        kind = next((kind for kind in ("and", "or", "not") if kind in where), None)
        if kind is None:
            return self._enclose(self._join(self._name(where["property"]), self._test(where)),
                                 ATOM, demanded)
        return self._joined(kind, where, demanded, self._where)

    # ---- Joints ----

    def _enclose(self, text, own, demanded):
        if own < demanded or self.random.random() < 0.05:
            return f"({text})"
        return text

    def _joined(self, kind, node, demanded, write):
        if kind == "not":
            return self._enclose(self._join(self._key("not"), write(node["not"], ATOM)), NOT,
                                 demanded)
        own = AND if kind == "and" else OR
        parts = [write(part, own + 1) for part in node[kind]]
        if len(parts) == 1:
            return write(node[kind][0], demanded)
        return self._enclose(self._join(*[word for part in parts
                                          for word in (self._key(kind), part)][1:]), own, demanded)

    # ---- Leaves ----

    def _expr(self, node, demanded):
        kind = next((kind for kind in ("and", "or", "not") if kind in node), None)
        if kind:
            return self._joined(kind, node, demanded, self._expr)
        return self._enclose(self._leaf(node), ATOM, demanded)

    def _leaf(self, leaf):
        if "segment" in leaf:
            return f"{self._key('segment')}({self._name(leaf['segment'])})"
        if "trait" in leaf:
            return self._join(f"{self._key('trait')} ({self._name(leaf['trait'])})",
                              self._test(leaf))
        if "sequence" in leaf:
            steps = f" {self._key('then')} ".join(self._what(step) for step in leaf["sequence"])
            bounds = [word for name in ("within", "ended_within") if name in leaf
                      for word in (self._key(name), leaf[name])]
            return self._join(f"{self._key('sequence')}({steps})", *bounds)
        return self._event(leaf)

    def _event(self, leaf):
        aggregate = self._key(leaf.get("aggregate", "count"))
        what = self._what(leaf)
        if "property" in leaf:
            what = self._join(self._name(leaf["property"]), self._key("of"), what)
        span = [word for name in ("within", "until") if name in leaf
                for word in (self._key(name), leaf[name])]
        if "between" in leaf:
            begin, end = map(json.dumps, leaf["between"])
            span = [self._key("between"), begin, self._key("and"), end]
        return self._join(f"{aggregate}({what})", *span, self._test(leaf))
