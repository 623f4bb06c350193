"""A measured value beside its goal and its baseline, and tables of them."""
import dataclasses


@dataclasses.dataclass
class Goal:
    text: str
    holds: object  # value → bool

    def met(self, value):
        return bool(self.holds(value))


def more_is_better(least, unit=""):
    return Goal(f"≥ {number(least)}{unit}", lambda value: value >= least)


def less_is_better(most, unit=""):
    """Up to 0 means exactly 0."""
    return Goal(f"≤ {number(most)}{unit}" if most else "0",
                lambda value: value <= most if most else value == 0)


@dataclasses.dataclass
class Figure:
    row: str
    name: str
    value: float
    unit: str
    goal: Goal
    baseline: str
    note: str

    def as_json(self):
        return {"row": self.row, "name": self.name, "value": self.value, "unit": self.unit,
                "goal": self.goal.text if self.goal else None,
                "met": self.goal.met(self.value) if self.goal else None,
                "baseline": self.baseline or None, "note": self.note or None}


def number(value):
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def markdown(figures):
    lines = ["| row | | measured | goal | | baseline, same minute | |",
             "|---|---|---|---|---|---|---|"]
    for f in figures:
        verdict = "" if f.goal is None else "met" if f.goal.met(f.value) else "**missed**"
        measured = f"{number(f.value)} {f.unit}".strip()
        lines.append(f"| {f.row} | {f.name} | {measured} | {f.goal.text if f.goal else ''} "
                     f"| {verdict} | {f.baseline} | {f.note} |")
    return "\n".join(lines)
