"""One figure a benchmark measured: what, how much, its target, whether it is met, and under which conditions."""

import math
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

GROWTH_FLOOR = 1.1
"""What two measurements of the same thing may differ by on a shared machine."""


class Verdict(StrEnum):
    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"
    NO_TARGET = "-"


@dataclass(frozen=True, slots=True)
class Result:
    """`value` is None when it was not measured; `conditions` then says why."""

    benchmark: str
    figure: str
    value: float | None
    unit: str
    target: float | None = None
    at_least: bool = False
    """The target is a floor (requests a second), not a ceiling."""
    conditions: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.value is None or math.isnan(self.value):
            return Verdict.NOT_MEASURED
        if self.target is None:
            return Verdict.NO_TARGET
        met = self.value >= self.target if self.at_least else self.value <= self.target
        return Verdict.MET if met else Verdict.MISSED

    def as_dict(self) -> dict[str, Any]:
        """What the results file holds."""
        measured = self.verdict is not Verdict.NOT_MEASURED
        return asdict(self) | {"value": self.value if measured else None, "verdict": self.verdict.value}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> "Result":
        return cls(**{k: v for k, v in given.items() if k != "verdict"})


def growth(small: Result, large: Result, *, of: str, n: tuple[int, int]) -> Result:
    """How much dearer `large` is than `small` when there is n[1] instead of n[0] of something: log n or better?"""
    assert small.value is not None
    assert large.value is not None
    allowed = max(GROWTH_FLOOR, math.log(1 + n[1]) / math.log(1 + n[0]))
    ratio = small.value / large.value if small.at_least else large.value / max(small.value, 1e-9)
    return replace(
        large,
        figure=f"{large.figure}: {n[1]:,} {of} against {n[0]:,}",
        value=round(ratio, 3),
        unit="times",
        target=round(allowed, 2),
        at_least=False,
        conditions="; ".join(filter(None, ["target: log n or better", large.conditions])),
    )


def percentile(values: list[float], part: float) -> float:
    """The value below which `part` of `values` lies; nan without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")


def table(results: list[Result]) -> str:
    """The results as lines of text, the verdict last."""
    rows = [
        (
            one.benchmark,
            one.figure,
            "" if one.value is None else _short(one.value),
            one.unit,
            "" if one.target is None else f"{'>=' if one.at_least else '<='} {_short(one.target)}",
            one.verdict.value + (f" ({one.conditions})" if one.verdict is Verdict.NOT_MEASURED else ""),
        )
        for one in results
    ]
    head = ("", "figure", "value", "unit", "target", "verdict")
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(w) if i in (2, 4) else cell.ljust(w) for i, (cell, w) in enumerate(zip(r, widths, strict=True))
        )
        for r in [head, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
