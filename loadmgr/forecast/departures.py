"""When a car leaves if nobody said, and how far a driver's word can be trusted: empirical quantiles of past stays.

Everything is learned from ended stays, of the same user where there are enough, else of the whole site. No distribution
is assumed. A low quantile of the departure is the cautious side: ready before most have left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

import numpy as np

USER_STAYS_KEPT = 30
SITE_STAYS_KEPT = 1000
USERS_KEPT = 5000

USER_LEAST = 5
"""With fewer suitable stays of a user those of the site count."""

SITE_LEAST = 10
"""With fewer suitable stays of the site nothing is said."""

NEAR_S = 7200.0
"""Arrivals up to this far apart by the local clock are alike."""

ALIKE_FACTOR = 2.0
"""Words are alike when the stays they mean differ by no more than this factor."""

SOON_S = 300.0
"""A corrected departure is at least this far ahead, as long as the driver's own is."""

_DAY_S = 86400.0
_SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """An ended session. ``user`` is empty where it is not known who it was; ``energy_kwh`` is what the car took.

    ``said_depart_at`` and ``said_kwh`` are what the driver last said, ``None`` = nobody said: a default must not be
    entered here, it would be learned as a driver's word.
    """

    user: str
    started_at: datetime
    ended_at: datetime
    energy_kwh: float
    said_depart_at: datetime | None = None
    said_kwh: float | None = None

    @property
    def length_s(self) -> float:
        """From the start to the end."""
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Past stays, oldest first: the newest of the site, and the newest of each user, users by when they last left."""

    site: tuple[Stay, ...] = ()
    users: Mapping[str, tuple[Stay, ...]] = field(default_factory=lambda: MappingProxyType({}))


def learned(history: History, stay: Stay) -> History:
    """The history with one more stay; one without a length or with a senseless energy changes nothing."""
    if stay.length_s <= 0.0 or not math.isfinite(stay.energy_kwh) or stay.energy_kwh < 0.0:
        return history
    site = (*history.site, stay)[-SITE_STAYS_KEPT:]
    if not stay.user:
        return History(site=site, users=history.users)
    users = {user: stays for user, stays in history.users.items() if user != stay.user}
    users[stay.user] = (*history.users.get(stay.user, ()), stay)[-USER_STAYS_KEPT:]
    for user in list(users)[: max(len(users) - USERS_KEPT, 0)]:
        del users[user]
    return History(site=site, users=MappingProxyType(users))


def departure(
    history: History,
    user: str,
    started_at: datetime,
    now: datetime,
    *,
    timezone: str,
    quantile: float = 0.25,
    at_least_s: float = 900.0,
) -> datetime | None:
    """When a car of which nobody said it will probably leave: it stays beyond this with the chance ``1 - quantile``.

    From stays that lasted longer than this one has by ``now``: those of the user that began on the same kind of day
    (weekday or weekend) within ``NEAR_S`` of the same local time, else the site's of that kind, else all of the site.
    At least ``at_least_s`` ahead. ``None`` when the site has seen too few stays, or none that lasted so long.
    """
    if len(history.site) < SITE_LEAST:
        return None
    elapsed_s = (now - started_at).total_seconds()
    zone = ZoneInfo(timezone)
    is_weekend, clock_s = _local(started_at, zone)

    def is_alike(stay: Stay) -> bool:
        weekend, began_s = _local(stay.started_at, zone)
        apart_s = abs(began_s - clock_s)
        return weekend == is_weekend and min(apart_s, _DAY_S - apart_s) <= NEAR_S

    staying = [s for s in _of_user(history, user) if s.length_s > elapsed_s and is_alike(s)]
    if len(staying) < USER_LEAST:
        everybody = [s for s in history.site if s.length_s > elapsed_s]
        alike = [s for s in everybody if is_alike(s)]
        staying = alike if len(alike) >= SITE_LEAST else everybody
    if not staying:
        return None
    length_s = float(np.quantile([s.length_s for s in staying], quantile))
    return max(started_at + timedelta(seconds=length_s), now + timedelta(seconds=at_least_s))


def trusted_departure(
    history: History, user: str, started_at: datetime, said_depart_at: datetime, now: datetime, *, quantile: float = 0.25
) -> datetime:
    """The departure that a driver said, earlier by as much as experience asks for: never later than said.

    The quantile of (real - said) of the user's stays, else of the site's, those with a word about as long as this one
    first (a word of ten hours is less exact than one of two); with too few of them the word stands. Only those count
    that would have this car still there at ``now`` (nobody leaves before arriving), so the correction fades as a car
    outstays it. At least ``SOON_S`` ahead, unless the driver's own word is nearer or past: that is returned as it is.
    """
    soonest = now + timedelta(seconds=SOON_S)
    if said_depart_at <= max(soonest, started_at):
        return said_depart_at
    said_s = (said_depart_at - started_at).total_seconds()
    left_s = min((said_depart_at - now).total_seconds(), said_s)

    def late_s(stays: Sequence[Stay], factor: float) -> list[float]:
        words = [(s.length_s, (s.said_depart_at - s.started_at).total_seconds()) for s in stays if s.said_depart_at]
        alike = [(length, word) for length, word in words if word > 0 and 1 / factor <= word / said_s <= factor]
        return [length - word for length, word in alike if length - word > -left_s]

    known_s = _enough(history, user, lambda stays: late_s(stays, ALIKE_FACTOR), lambda stays: late_s(stays, math.inf))
    if known_s is None:
        return said_depart_at
    corrected = said_depart_at + timedelta(seconds=min(float(np.quantile(known_s, quantile)), 0.0))
    return max(corrected, soonest)


def energy_kwh(history: History, user: str, said_kwh: float | None, *, quantile: float = 0.75) -> float | None:
    """What a car will probably take in its whole session, kWh: not more than this with the chance ``quantile``.

    When the driver said ``said_kwh``, that times the quantile of (taken / said), never more than said; else the
    quantile of what was taken. From the user's stays, else the site's; ``None`` when too few are known. What was taken
    is also bounded by what was offered: a forecast to plan with, not a bound to stop at, or it would prove itself.
    """
    if said_kwh is None:
        taken_kwh = _enough(history, user, lambda stays: [s.energy_kwh for s in stays])
        return None if taken_kwh is None else float(np.quantile(taken_kwh, quantile))
    part_frac = _enough(history, user, _taken_of_said)
    return None if part_frac is None else said_kwh * min(float(np.quantile(part_frac, quantile)), 1.0)


def _enough(history: History, user: str, *figures: Callable[[Sequence[Stay]], list[float]]) -> list[float] | None:
    """Figures of the user's stays if one of ``figures`` finds ``USER_LEAST`` there, else of the site's likewise with
    ``SITE_LEAST``, else ``None``.
    """
    for stays, least in ((_of_user(history, user), USER_LEAST), (history.site, SITE_LEAST)):
        for of in figures:
            found = of(stays)
            if len(found) >= least:
                return found
    return None


def _taken_of_said(stays: Sequence[Stay]) -> list[float]:
    return [s.energy_kwh / s.said_kwh for s in stays if s.said_kwh is not None and s.said_kwh > 0.0]


def _of_user(history: History, user: str) -> Sequence[Stay]:
    return history.users.get(user, ())


@lru_cache(maxsize=4 * SITE_STAYS_KEPT)
def _local(at: datetime, zone: ZoneInfo) -> tuple[bool, float]:
    """Whether it is a weekend there, and seconds since local midnight by the clock."""
    local = at.astimezone(zone)
    return local.weekday() >= _SATURDAY, local.hour * 3600.0 + local.minute * 60.0 + local.second
