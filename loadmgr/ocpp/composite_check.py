"""A station's composite schedule beside the expected one, with the tolerances of [A-61]."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from loadmgr import units
from loadmgr.domain.composite import Composite, CompositePeriod, Source
from loadmgr.domain.profiles import Wiring, kilo
from loadmgr.domain.traits import RateUnit

TOLERANCE_A = 0.2
TOLERANCE_FRAC = 0.01
BOUNDARY_S = 5.0
SKEW_S = 60.0
"""A schedule that starts further than this from now comes from a wrong clock: it is judged as if it started now."""

HORIZON_S = 86_400.0
"""What is compared when the station does not say a duration."""

Expect = Callable[[int, datetime, float, RateUnit], Composite]
Segment = tuple[float, float, float]
"""(begin in s, end in s, value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``differs`` in words, empty when both agree; the limits are (offset in s from ``from_at``, A per phase).

    ``reason``: why the answer is not useful [G-20].
    """

    is_useful: bool
    from_at: datetime
    reason: str = ""
    differs: str = ""
    said_limits_a: tuple[tuple[float, float], ...] = ()
    expected_limits_a: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Amperes of the EVSE (0: the station) that a value in ``unit`` means."""

    unit: RateUnit
    voltage_v: float
    n_phases: int

    def to_a(self, value: float, n_phases: int) -> float:
        if self.unit == "A":
            return value
        return units.kw_to_a(units.w_to_kw(value), self.voltage_v, min(n_phases, self.n_phases))

    def from_a(self, current_a: float) -> float:
        return current_a if self.unit == "A" else kilo(units.a_to_kw(current_a, self.voltage_v, self.n_phases))


def compared(said: Composite, expect: Expect, wiring: Mapping[int, Wiring], now: datetime, delay_s: float) -> Comparison:
    """The comparison of an answer; ``delay_s`` is the random delay that the station may add (2.1)."""
    skew_s = (said.from_at - now).total_seconds()
    from_at = now if abs(skew_s) > SKEW_S else said.from_at
    duration_s = min(said.duration_s, HORIZON_S)
    scale = _scale(said, wiring)
    expected = expect(said.evse, from_at, duration_s, said.unit)
    most = _most(said, wiring)
    theirs = _segments(said.periods, said.unit, duration_s, most)
    ours = _segments(expected.periods, said.unit, duration_s, most)
    slack_s = BOUNDARY_S + delay_s
    floor = scale.from_a(TOLERANCE_A)
    odd = [x for x in (_odd(theirs, ours, slack_s, floor), _odd(ours, theirs, slack_s, floor)) if x is not None]
    said_a = _in_a(said.periods, theirs, scale)
    expected_a = _in_a(expected.periods, ours, scale)
    return Comparison(
        is_useful=True,
        from_at=from_at,
        differs=_words(min(odd), (said_a, expected_a), expected, skew_s) if odd else "",
        said_limits_a=said_a,
        expected_limits_a=expected_a,
    )


def _scale(said: Composite, wiring: Mapping[int, Wiring]) -> _Scale:
    mine = [wiring[said.evse]] if said.evse in wiring else list(wiring.values())
    return _Scale(
        unit=said.unit,
        voltage_v=mine[0].voltage_v if mine else Wiring().voltage_v,
        n_phases=max((w.n_phases for w in mine), default=3),
    )


def _most(said: Composite, wiring: Mapping[int, Wiring]) -> float:
    """The hardware maximum: a station may tell limits above it."""
    mine = [wiring[said.evse]] if said.evse in wiring else list(wiring.values())
    return sum(w.most(said.unit) for w in mine)


def _value(period: CompositePeriod, unit: RateUnit, most: float) -> float:
    """What the period comes to: its setpoint where it has one, else its limit (in A on the phase with the highest)."""
    if period.setpoint is not None:
        return max(-most, min(most, period.setpoint))
    others = [x for x in (period.limit_l2, period.limit_l3) if x is not None]
    told = max(period.limit, *others) if unit == "A" and others else period.limit + sum(others)
    return min(most, told)


def _segments(periods: Sequence[CompositePeriod], unit: RateUnit, duration_s: float, most: float) -> list[Segment]:
    """The periods until ``duration_s``; a hole at the begin means that nothing limits there [A.7.1]."""
    marks = [(p.start_s, _value(p, unit, most)) for p in periods if p.start_s < duration_s]
    if not marks or marks[0][0] > 0:
        marks.insert(0, (0.0, most))
    ends = [*(start for start, _ in marks[1:]), duration_s]
    return [(start, end, value) for (start, value), end in zip(marks, ends, strict=True)]


def _odd(these: Sequence[Segment], those: Sequence[Segment], slack_s: float, floor: float) -> float | None:
    """The first offset at which ``these`` has a value that ``those`` does not have within ``slack_s`` around it.

    Near the edges of a window that is long enough a boundary may lie outside of it, so nothing is asked of them.
    """
    until_s = these[-1][1]
    edge_s = slack_s if until_s > 4 * slack_s else 0.0
    for begin, end, value in these:
        alike = sorted((b - slack_s, e + slack_s) for b, e, v in those if _is_like(v, value, floor))
        reached, last_s = max(begin, edge_s), min(end, until_s - edge_s)
        start = reached
        for first, last in alike:
            if first > reached:
                break
            reached = max(reached, last)
        if reached < last_s:
            return begin if reached == start else reached
    return None


def _is_like(one: float, other: float, floor: float) -> bool:
    """[A-61]; the last term is float noise."""
    return abs(one - other) <= max(floor, TOLERANCE_FRAC * max(abs(one), abs(other))) + 1e-9


def _in_a(periods: Sequence[CompositePeriod], segments: Sequence[Segment], scale: _Scale) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    for begin, _, value in segments:
        n_phases = [p.n_phases for p in periods if p.start_s <= begin]
        current_a = round(scale.to_a(value, n_phases[-1] if n_phases else scale.n_phases), 3)
        if not found or found[-1][1] != current_a:
            found.append((begin, current_a))
    return tuple(found)


def _words(at_s: float, limits: tuple[tuple[tuple[float, float], ...], ...], expected: Composite, skew_s: float) -> str:
    said_a, expected_a = ([a for s, a in told if s <= at_s][-1] for told in limits)
    by = ", ".join(_named(s) for s in expected.at(at_s).sources)
    where = f"EVSE {expected.evse}" if expected.evse else "the station"
    clock = f"; its clock is {skew_s:+.0f} s off" if abs(skew_s) > SKEW_S else ""
    return f"{where}: from {at_s:.0f} s on it says {said_a:.1f} A, expected {expected_a:.1f} A ({by}){clock}"


def _named(source: Source) -> str:
    return "hardware" if source.purpose is None else f"{source.purpose} profile {source.profile}"
