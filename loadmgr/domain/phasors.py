"""Line currents as phasors: loads between lines, delta-wye transformers, the worst of partial loads [A-72, A-73, F.4].

Unity power factor is assumed of every load. Voltages of L1, L2, L3 against neutral stand at 0°, −120° and 120° at every
node; ``relative`` turns each line's current so that 0° is in phase with the line's own voltage.
"""

from __future__ import annotations

from cmath import exp, phase, pi
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations
from math import ceil, cos, sqrt

Lines = tuple[complex, complex, complex]
"""Currents of L1, L2, L3 in A with their angles."""

Magnitudes = tuple[float, float, float]

NOTHING: Lines = (0j, 0j, 0j)
STEP_RAD = pi / 18.0
"""Distance of the directions in which a polygon bounds a current: at most 1 − cos(5°) = 0.4 % is given away."""

SMALL_A = 1e-9
_TURN: Lines = (1 + 0j, exp(-2j * pi / 3.0), exp(2j * pi / 3.0))
_BACK: Lines = (1 + 0j, exp(2j * pi / 3.0), exp(-2j * pi / 3.0))


def to_neutral(line: int) -> Lines:
    """One ampere from a line (0..2) to neutral."""
    found = [0j, 0j, 0j]
    found[line] = _TURN[line]
    return found[0], found[1], found[2]


def between(first: int, second: int) -> Lines:
    """One ampere from a line to another, driven by the voltage between them: it counts on both [A-72]."""
    ampere = (_TURN[first] - _TURN[second]) / sqrt(3.0)
    found = [0j, 0j, 0j]
    found[first], found[second] = ampere, -ampere
    return found[0], found[1], found[2]


def plus(left: Lines, right: Lines) -> Lines:
    """Sum of two currents, line by line."""
    return left[0] + right[0], left[1] + right[1], left[2] + right[2]


def times(lines: Lines, factor: float) -> Lines:
    """A multiple of a current."""
    return lines[0] * factor, lines[1] * factor, lines[2] * factor


def primary(lines: Lines, ratio: float) -> Lines:
    """Currents at the delta of a delta-wye transformer from those at its wye; ``ratio`` is primary / secondary voltage.

    The winding between the primary lines L1 and L2 feeds the secondary L1, and so on round: each primary line carries
    the difference of two windings. The primary's own voltages are the reference again (hence the 30°). Losses and
    magnetising current are neglected.
    """
    turn = exp(1j * pi / 6.0) / (sqrt(3.0) * ratio)
    return (lines[0] - lines[2]) * turn, (lines[1] - lines[0]) * turn, (lines[2] - lines[1]) * turn


def primary_sum(sizes: Magnitudes, ratio: float) -> Magnitudes:
    """The most at the delta when nothing but magnitudes at the wye is known: they add as numbers."""
    per = 1.0 / (sqrt(3.0) * ratio)
    return (sizes[0] + sizes[2]) * per, (sizes[1] + sizes[0]) * per, (sizes[2] + sizes[1]) * per


def primary_neutral(sizes: Magnitudes, ratio: float) -> Magnitudes:
    """Magnitudes at the delta of loads between lines and neutral at the wye: |a − c| with 120° between them."""
    a, b, c = (max(size, 0.0) for size in sizes)
    per = 1.0 / (sqrt(3.0) * ratio)
    return sqrt(a * a + a * c + c * c) * per, sqrt(b * b + a * b + a * a) * per, sqrt(c * c + b * c + b * b) * per


def relative(lines: Lines) -> Lines:
    """Every line's current relative to the voltage of that line."""
    return lines[0] * _BACK[0], lines[1] * _BACK[1], lines[2] * _BACK[2]


def signed(lines: Lines) -> Magnitudes:
    """Magnitudes as a meter tells them: negative where the line delivers."""
    a, b, c = (abs(x) if x.real >= 0.0 else -abs(x) for x in relative(lines))
    return a, b, c


def reach(parts: Iterable[complex]) -> float:
    """The largest magnitude of Σ f·part over all 0 <= f <= 1, for parts that lie within 180°.

    A magnitude is convex, so its maximum over the box of the f is at a corner, and the corners of what the sums cover
    are the parts added in the order of their angles, from either end. Less of one part can be more in sum: two parts
    that stand more than 90° apart work against each other.
    """
    ordered = sorted((p for p in parts if abs(p) > SMALL_A), key=phase)
    ways = (accumulate(ordered), accumulate(reversed(ordered)))
    return max((abs(p) for way in ways for p in way), default=0.0)


def most(parts: Sequence[complex], n_used: int, *, is_known: bool) -> float:
    """The largest magnitude that ``n_used`` conductors of an EVSE or fewer put on a line; any of them when not known."""
    usable = parts[:n_used] if is_known else parts
    return max(
        (abs(sum(some)) for n in range(1, min(n_used, len(usable)) + 1) for some in combinations(usable, n)), default=0.0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A bound on a line: Re(turn · current) <= shrink · limit, or without ``turn`` magnitudes added as numbers."""

    line: int
    turn: complex | None = None
    shrink: float = 1.0

    def of(self, parts: Sequence[complex], n_used: int, *, is_known: bool) -> float:
        """The most that ``n_used`` conductors can add to this bound, per ampere: what opposes it may be absent."""
        assert self.turn is not None  # noqa: S101 the caller looks
        along = [max((self.turn * part).real, 0.0) for part in parts]
        return sum(along[:n_used]) if is_known else sum(sorted(along, reverse=True)[:n_used])


def polygon(line: int, parts: Iterable[complex]) -> tuple[Cut, ...]:
    """Cuts that bound the magnitude of every sum of ``parts`` with factors >= 0, however small a factor becomes.

    Let z = Σ x·part with 0 <= x <= a, and α..β the angles of the parts, less than 180° apart. Then the angle of z lies
    in α..β as well. The directions θ are the middles of n equal arcs of width 2δ that cover α..β, so one θ is within δ
    of z's angle, and |z|·cos δ <= Re(e^{−jθ} z) <= Σ a·max(Re(e^{−jθ} part), 0). If that sum is at most R·cos δ for
    every θ, then |z| <= R. Dropping what opposes a direction is what makes the bound hold for cars that draw less.
    """
    angles = [phase(part) for part in parts if abs(part) > SMALL_A]
    if not angles:
        return ()
    first, last = min(angles), max(angles)
    n_arcs = max(ceil((last - first) / STEP_RAD - 1e-9), 1)
    half = (last - first) / n_arcs / 2.0
    return tuple(Cut(line=line, turn=exp(-1j * (first + (2 * arc + 1) * half)), shrink=cos(half)) for arc in range(n_arcs))
