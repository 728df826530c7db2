"""Names for people and stable keys for machines of every column and row.

A key says what a column or row is (kind, entity, absolute step), so that a basis outlives a tick in which sessions
came and went and the horizon moved on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from solvers.layout import Layout
from solvers.parts import Index
from solvers.problem import ChargingProblem
from solvers.program import Keys

if TYPE_CHECKING:
    from solvers.rows import Rows

_STEP_BITS, _ENTITY_BITS = 20, 32
P, D, E, U, G, X, C, B_UP, B_DOWN, B_E, PEAK, UP, DOWN, SOFT, Z = range(1, 16)
BALANCE, ENERGY, ROOM, STORAGE, TAPER, BATTERY, CAPACITY, FACET, PEAK_ROW, CHANGE, LINK = range(1, 12)


def _hashes(names: Iterable[str]) -> Keys:
    return np.array([crc32(name.encode()) for name in names], dtype=np.int64)


def _key(kind: int, entity: Keys | int, step: Index | int) -> Keys:
    place = np.asarray(step, dtype=np.int64) & ((1 << _STEP_BITS) - 1)
    found: Keys = (np.int64(kind) << (_STEP_BITS + _ENTITY_BITS)) | (np.asarray(entity) << _STEP_BITS) | place
    return np.atleast_1d(found)


def column_keys(problem: ChargingProblem, layout: Layout) -> Keys:
    """One key per column."""
    first = problem.first_step
    session, steps = _hashes(problem.session_keys), first + np.arange(problem.n_steps)
    found = [_key(P, session[layout.session_of], first + layout.step_of)]
    if problem.tracked is not None:
        own = session[problem.tracked.session]
        found += [_key(D, own[layout.d_of], first + layout.d_step), _key(E, own[layout.e_of], first + layout.e_step)]
    segment = np.tile(np.arange(layout.n_segments), problem.n_sessions)
    found.append(_key(U, np.repeat(session, layout.n_segments), segment))
    for kind, start in ((G, layout.first_g), (X, layout.first_x), (C, layout.first_c)):
        if start >= 0:
            found.append(_key(kind, 0, steps))
    if problem.batteries is not None and layout.first_battery >= 0:
        names = np.repeat(_hashes(problem.batteries.names), problem.n_steps)
        times = np.tile(steps, len(problem.batteries.names))
        found += [_key(kind, names, times) for kind in (B_UP, B_DOWN, B_E)]
    if problem.demand is not None and layout.first_peak >= 0:
        found.append(_key(PEAK, _hashes(problem.demand.names), 0))
    changed = session[layout.changed]
    found += [_key(UP, changed, 0), _key(DOWN, changed, 0)]
    row = _hashes(problem.row_names)
    found.append(_key(SOFT, row[layout.soft_row], first + layout.soft_step))
    z = layout.z_of
    found.append(_key(Z, session[layout.session_of[z]], first + layout.step_of[z]))
    return np.concatenate(found)


def row_keys(problem: ChargingProblem, layout: Layout, rows: Rows) -> Keys:
    """One key per row."""
    first = problem.first_step
    session, steps = _hashes(problem.session_keys), first + np.arange(problem.n_steps)
    found = [_key(BALANCE, 0, steps)] if rows.has_balance else []
    found += [_key(ENERGY, session, 0), _key(ROOM, session[rows.room >= 0], 0)]
    if problem.tracked is not None:
        own = session[problem.tracked.session]
        k, t = np.nonzero(rows.storage >= 0)
        found.append(_key(STORAGE, own[k], first + t))
        k, j, t = np.nonzero(rows.taper >= 0)
        found.append(_key(TAPER, own[k] ^ j, first + t))
    if problem.batteries is not None:
        names = np.repeat(_hashes(problem.batteries.names), problem.n_steps)
        found.append(_key(BATTERY, names, np.tile(steps, len(problem.batteries.names))))
    r, t = np.nonzero(layout.bind)
    found.append(_key(CAPACITY, _hashes(problem.row_names)[r], first + t))
    facets = layout.facets
    if problem.phasors is not None and facets.size:
        limits = _hashes(problem.phasors.names)[facets.limit] ^ facets.side
        found.append(_key(FACET, limits, first + facets.step))
    if problem.demand is not None:
        d, t = np.nonzero(rows.peak >= 0)
        found.append(_key(PEAK_ROW, _hashes(problem.demand.names)[d], first + t))
    found.append(_key(CHANGE, session[layout.changed], 0))
    z = np.repeat(layout.z_of, 2)
    side = np.tile([0, 1], layout.z_of.size)
    found.append(_key(LINK, session[layout.session_of[z]] ^ side, first + layout.step_of[z]))
    return np.concatenate(found)


def column_names(problem: ChargingProblem, layout: Layout) -> tuple[str, ...]:
    """``p[session,step]`` and so on, steps absolute."""
    keys, first = problem.session_keys, problem.first_step
    steps = range(first, first + problem.n_steps)
    found = [f"p[{keys[s]},{first + t}]" for s, t in zip(layout.session_of, layout.step_of, strict=True)]
    if problem.tracked is not None:
        own = [keys[s] for s in problem.tracked.session]
        found += [f"d[{own[k]},{first + t}]" for k, t in zip(layout.d_of, layout.d_step, strict=True)]
        found += [f"E[{own[k]},{first + t}]" for k, t in zip(layout.e_of, layout.e_step, strict=True)]
    found += [f"u[{key},{k}]" for key in keys for k in range(layout.n_segments)]
    for letter, start in (("g", layout.first_g), ("x", layout.first_x), ("c", layout.first_c)):
        found += [f"{letter}[{t}]" for t in steps] if start >= 0 else []
    if problem.batteries is not None and layout.first_battery >= 0:
        for letter in ("charge", "discharge", "stored"):
            found += [f"{letter}[{name},{t}]" for name in problem.batteries.names for t in steps]
    if problem.demand is not None and layout.first_peak >= 0:
        found += [f"peak[{name}]" for name in problem.demand.names]
    found += [f"up[{keys[s]}]" for s in layout.changed] + [f"down[{keys[s]}]" for s in layout.changed]
    pairs = zip(layout.soft_row, layout.soft_step, strict=True)
    found += [f"o[{problem.row_names[r]},{first + t}]" for r, t in pairs]
    found += [f"on[{keys[layout.session_of[z]]},{first + layout.step_of[z]}]" for z in layout.z_of]
    return tuple(found)


def row_names(problem: ChargingProblem, layout: Layout, rows: Rows) -> tuple[str, ...]:
    """``feeder-2/L1[step]`` and so on."""
    keys, first = problem.session_keys, problem.first_step
    found = [f"balance[{first + t}]" for t in range(problem.n_steps)] if rows.has_balance else []
    found += [f"energy[{key}]" for key in keys]
    found += [f"room[{key}]" for key, place in zip(keys, rows.room, strict=True) if place >= 0]
    if problem.tracked is not None:
        own = [keys[s] for s in problem.tracked.session]
        found += [f"storage[{own[k]},{first + t}]" for k, t in _cells(rows.storage >= 0)]
        found += [f"taper[{own[k]},{j},{first + t}]" for k, j, t in _cells(rows.taper >= 0)]
    if problem.batteries is not None:
        found += [f"battery[{name},{first + t}]" for name in problem.batteries.names for t in range(problem.n_steps)]
    found += [f"{problem.row_names[r]}[{first + t}]" for r, t in _cells(layout.bind)]
    facets = layout.facets
    if problem.phasors is not None:
        found += [
            f"{problem.phasors.names[q]}[{first + t},{m}]"
            for q, t, m in zip(facets.limit, facets.step, facets.side, strict=True)
        ]
    if problem.demand is not None:
        found += [f"peak[{problem.demand.names[d]},{first + t}]" for d, t in _cells(rows.peak >= 0)]
    found += [f"change[{keys[s]}]" for s in layout.changed]
    for z in layout.z_of:
        cell = f"{keys[layout.session_of[z]]},{first + layout.step_of[z]}"
        found += [f"most[{cell}]", f"least[{cell}]"]
    return tuple(found)


def _cells(mask: np.ndarray) -> Sequence[tuple[int, ...]]:
    return [tuple(int(x) for x in cell) for cell in np.argwhere(mask)]
