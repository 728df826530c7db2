"""Optional parts of a charging problem: storage of cars, batteries, demand charges, phasor limits.

A problem without a part has no column and no row for it. Axes: S sessions, T steps, R rows, K tracked sessions,
J taper cuts, B batteries, D demand charges, Q phasor limits.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import cos, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.errors import ShapeError

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Index = NDArray[np.int64]


def frozen(part: object, name: str, kind: Any) -> NDArray[Any]:
    """Replace a field of a frozen dataclass by a read-only copy of the wanted type."""
    array: NDArray[Any] = np.array(getattr(part, name), dtype=kind)
    array.setflags(write=False)
    object.__setattr__(part, name, array)
    return array


def _check(part: object, shapes: dict[str, str], sizes: dict[str, int], positive: frozenset[str]) -> None:
    """Copy all arrays read-only and raise ``ShapeError`` with everything that is wrong."""
    problems = []
    owner = type(part).__name__
    for item in fields(part):  # type: ignore[arg-type]
        if item.name not in shapes:
            continue
        array = frozen(part, item.name, np.float64)
        expected = tuple(sizes[a] for a in shapes[item.name])
        if array.shape != expected:
            axes = ", ".join(shapes[item.name])
            problems.append(f"{owner}.{item.name} has shape {array.shape}, expected ({axes}) = {expected}")
        elif np.isnan(array).any():
            problems.append(f"{owner}.{item.name} holds NaN")
        elif item.name in positive and (array <= 0).any():
            problems.append(f"{owner}.{item.name} must be > 0, lowest is {array.min()}")
    if problems:
        raise ShapeError(tuple(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """Sessions whose stored energy is followed step by step: they may discharge, or their power falls with it.

    Raises ``ShapeError``.
    """

    session: Index
    """(K,) places in the S axis, each at most once."""
    stored_kwh: Floats
    """(K,) in the car's battery now."""
    reserve_kwh: Floats
    """(K,) the driver's reserve: never discharged below; a car that is below it now does not discharge at all."""
    discharge_max_kw: Floats
    """(K, T) at the AC side; 0: may not."""
    discharge_efficiency: Floats
    """(K,) energy to the grid per stored energy drawn, 0 < η_d <= 1."""
    wear_price_per_kwh: Floats
    """(K,) money per kWh discharged at the AC side."""
    taper_kw: Floats
    """(K, J) α of the cuts p <= α − β·stored; infinite: no cut."""
    taper_per_kwh: Floats
    """(K, J) β in kW per kWh stored, >= 0. Concave by construction: the least of the cuts holds."""

    def __post_init__(self) -> None:
        frozen(self, "session", np.int64)
        n_tracked = int(np.size(self.session))
        taper, steps = np.shape(self.taper_kw), np.shape(self.discharge_max_kw)
        sizes = {"K": n_tracked, "J": taper[-1] if taper else 0, "T": steps[-1] if steps else 0}
        shapes = {
            "stored_kwh": "K",
            "reserve_kwh": "K",
            "discharge_max_kw": "KT",
            "discharge_efficiency": "K",
            "wear_price_per_kwh": "K",
            "taper_kw": "KJ",
            "taper_per_kwh": "KJ",
        }
        _check(self, shapes, sizes, frozenset({"discharge_efficiency"}))
        if len(np.unique(self.session)) != n_tracked:
            raise ShapeError(("Tracked.session names a session twice",))

    def usable_discharge_kw(self) -> Floats:
        """(K, T) discharge power with the reserve respected: none for a car that is below its reserve."""
        usable: Floats = np.where((self.stored_kwh > self.reserve_kwh)[:, None], self.discharge_max_kw, 0.0)
        return usable


@dataclass(frozen=True, slots=True, kw_only=True)
class Batteries:
    """Stationary batteries. Raises ``ShapeError``."""

    names: tuple[str, ...]
    charge_max_kw: Floats
    """(B,) at the AC side."""
    discharge_max_kw: Floats
    """(B,)"""
    stored_kwh: Floats
    """(B,)"""
    floor_kwh: Floats
    """(B,)"""
    capacity_kwh: Floats
    """(B,)"""
    efficiency: Floats
    """(B,) stored per drawn."""
    discharge_efficiency: Floats
    """(B,) delivered per stored energy drawn."""
    wear_price_per_kwh: Floats
    """(B,) money per kWh delivered."""
    end_value_per_kwh: Floats
    """(B,) what a stored kWh is worth at the end of the horizon; without it every plan would sell the battery empty."""
    row_coef: Floats
    """(R, B) A per kW of charging, or 1 for a kW row; discharging counts negative."""

    def __post_init__(self) -> None:
        rows = np.shape(self.row_coef)
        sizes = {"B": len(self.names), "R": rows[0] if rows else 0}
        shapes = {f.name: "B" for f in fields(self) if f.name not in {"names", "row_coef"}}
        _check(self, {**shapes, "row_coef": "RB"}, sizes, frozenset({"efficiency", "discharge_efficiency"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandCharges:
    """Prices on the highest import of a billing period. Raises ``ShapeError``."""

    names: tuple[str, ...]
    price_per_kw: Floats
    """(D,) for the whole rest of the billing period."""
    incurred_kw: Floats
    """(D,) the highest import of the period so far: up to it import is free of this charge."""
    holds: Floats
    """(D, T) 1 where the charge counts, else 0 (on-peak windows)."""

    def __post_init__(self) -> None:
        holds = np.shape(self.holds)
        sizes = {"D": len(self.names), "T": holds[-1] if holds else 0}
        _check(self, {"price_per_kw": "D", "incurred_kw": "D", "holds": "DT"}, sizes, frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Phasors:
    """Limits on magnitudes of sums of currents: |base + Σ coef·(p − d)| <= limit. Raises ``ShapeError``.

    The circle is replaced by a polygon of ``sides`` sides inside it, of which only facets are added that a solution
    violates: safe, and pessimistic by at most 1 − cos(π/sides).
    """

    names: tuple[str, ...]
    coef: Complexes
    """(Q, S) A per kW with its angle."""
    base_a: Complexes
    """(Q, T) current of what is not ours."""
    limit_a: Floats
    """(Q, T)"""
    sides: int = 32

    def __post_init__(self) -> None:
        coef, base = frozen(self, "coef", np.complex128), frozen(self, "base_a", np.complex128)
        limits = np.shape(self.limit_a)
        sizes = {"Q": len(self.names), "T": limits[-1] if limits else 0}
        _check(self, {"limit_a": "QT"}, sizes, frozenset())
        problems = []
        if coef.ndim != 2 or coef.shape[0] != sizes["Q"]:
            problems.append(f"Phasors.coef has shape {coef.shape}, expected (Q, S) with Q = {sizes['Q']}")
        if base.shape != limits:
            problems.append(f"Phasors.base_a has shape {base.shape}, expected (Q, T) = {limits}")
        if self.sides < 4:
            problems.append(f"Phasors.sides is {self.sides}, expected at least 4")
        if problems:
            raise ShapeError(tuple(problems))

    def allowed_a(self) -> Floats:
        """(Q, T) the limit, or the base current alone where that is already higher: cars may not add to it."""
        allowed: Floats = np.maximum(self.limit_a, np.abs(self.base_a))
        return allowed

    @property
    def shrink(self) -> float:
        """Distance of a facet from the centre as a part of the radius."""
        return cos(pi / self.sides)
