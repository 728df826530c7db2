"""How wrong the forecast of an uncontrolled load is, by lead time, from what was measured lately.

The forecast is persistence with a known shape: a load that is ``v`` now will be ``v + shape(then) - shape(now)``. About
once a minute the present is remembered as an origin of such a forecast; when a later measurement arrives, the origins
that have just come to one of ``LEADS_S`` of age are compared with it. The quantiles of these errors are empirical, no
distribution is assumed. All powers are net kW, import positive: PV counts as negative load, and a positive error means
that more was drawn (or less produced) than expected.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from operator import attrgetter

import numpy as np

EDGES_S = (0.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, math.inf)
"""Bounds of the buckets of lead time."""

LEADS_S = (30.0, 150.0, 600.0, 1800.0, 7200.0, 14400.0)
"""The lead that stands for each bucket: errors are taken at it, quantiles are interpolated between them."""

ERRORS_KEPT = 200
"""Per bucket."""

ERRORS_LEAST = 8
"""With fewer, a bucket says nothing."""

ORIGIN_S = 60.0
"""Origins are at least this far apart."""

ORIGINS_KEPT = 250
"""Somewhat more than the longest lead needs."""

SPACING_FRAC = 0.1
"""Errors of a bucket are at least this part of its lead apart: closer ones nearly repeat each other, and so the
buckets of hours remember days (200 errors of 4 h reach back 80 h) instead of the last three hours."""

_BUCKETS = len(LEADS_S)
_MEDIAN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A forecast made at ``at``: the net load was ``value_kw`` and the known shape stood at ``shape_kw`` then."""

    at: datetime
    value_kw: float
    shape_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Past forecast errors of one load, a bounded value that equal inputs fold to equal results.

    ``errors_kw[i]`` are the newest errors (measured minus forecast, kW, oldest first) of the bucket ``EDGES_S[i]`` to
    ``EDGES_S[i + 1]``; ``compared_at[i]`` is the newest origin compared there, ``None`` before the first.
    """

    errors_kw: tuple[tuple[float, ...], ...] = ((),) * _BUCKETS
    compared_at: tuple[datetime | None, ...] = (None,) * _BUCKETS
    origins: tuple[Origin, ...] = ()


def expect(errors: Errors, now: datetime, value_kw: float, shape_kw: float = 0.0) -> Errors:
    """The memory with the forecast that starts from a net load of ``value_kw`` at ``now``.

    ``shape_kw`` is what the known series say for ``now`` (load less PV, any constant offset), 0 without series. Calls
    within ``ORIGIN_S`` of the newest origin or before it, and values that are not finite, change nothing.
    """
    if not (math.isfinite(value_kw) and math.isfinite(shape_kw)):
        return errors
    if errors.origins and (now - errors.origins[-1].at).total_seconds() < ORIGIN_S:
        return errors
    origin = Origin(at=now, value_kw=value_kw, shape_kw=shape_kw)
    return replace(errors, origins=(*errors.origins, origin)[-ORIGINS_KEPT:])


def measured(errors: Errors, at: datetime, value_kw: float, shape_at_kw: float = 0.0) -> Errors:
    """The memory after a measurement of ``value_kw`` at ``at``, when the known shape stood at ``shape_at_kw``.

    Looks at no more than one origin per bucket: the newest that is at least ``LEADS_S`` old, if it was not compared yet
    and is still inside the bucket (after a gap in the measurements it may not be).
    """
    if not (math.isfinite(value_kw) and math.isfinite(shape_at_kw)):
        return errors
    changed = {}
    for bucket in range(_BUCKETS):
        origin = _due(errors, bucket, at)
        if origin is not None:
            changed[bucket] = (origin.at, value_kw - origin.value_kw - (shape_at_kw - origin.shape_kw))
    if not changed:
        return errors
    kept, compared_at = list(errors.errors_kw), list(errors.compared_at)
    for bucket, (origin_at, error_kw) in changed.items():
        kept[bucket] = (*kept[bucket], error_kw)[-ERRORS_KEPT:]
        compared_at[bucket] = origin_at
    return replace(errors, errors_kw=tuple(kept), compared_at=tuple(compared_at))


def quantile_kw(errors: Errors, lead_s: float, quantile: float) -> float:
    """Quantile (0 to 1) of measured minus forecast at a lead, kW; see ``quantiles_kw``."""
    return quantiles_kw(errors, (lead_s,), quantile)[0]


def quantiles_kw(errors: Errors, leads_s: Sequence[float], quantile: float) -> tuple[float, ...]:
    """Quantile of measured minus forecast at each lead, kW: what to add to the forecast to be above (``quantile`` of
    0.5 and more) or below (less) the load that often.

    Linear between ``LEADS_S`` and constant outside them, from the buckets with at least ``ERRORS_LEAST`` errors; 0.0
    without any. From the median up it never falls with the lead and is at least 0; below, it never rises and is at most
    0. A longer lead is thus never trusted more than a shorter one, even where few errors say so.
    """
    known = [b for b in range(_BUCKETS) if len(errors.errors_kw[b]) >= ERRORS_LEAST]
    if not known:
        return (0.0,) * len(leads_s)
    raw_kw = (float(np.quantile(errors.errors_kw[b], quantile)) for b in known)
    values_kw = list(accumulate(raw_kw, max if quantile >= _MEDIAN else min, initial=0.0))[1:]
    found = np.interp(leads_s, [LEADS_S[b] for b in known], values_kw)
    return tuple(float(v) for v in found)


def _due(errors: Errors, bucket: int, at: datetime) -> Origin | None:
    """The origin that a measurement at ``at`` is to be compared with in a bucket."""
    lead_s, last = LEADS_S[bucket], errors.compared_at[bucket]
    newest = at - timedelta(seconds=lead_s)
    least = None if last is None else last + timedelta(seconds=max(lead_s * SPACING_FRAC, ORIGIN_S))
    if not errors.origins or (least is not None and newest < least):
        return None
    index = bisect_right(errors.origins, newest, key=attrgetter("at")) - 1
    if index < 0:
        return None
    origin = errors.origins[index]
    if (least is not None and origin.at < least) or (at - origin.at).total_seconds() >= EDGES_S[bucket + 1]:
        return None
    return origin
