"""How far a station's clock is off, from the times in its messages, and how old a value is by that [B30, G-9, G-52].

A value that waited in a queue looks like one of a slow clock. To take it for live might raise a limit; to take a live
one for old makes its EVSE count at its worst. So a clock counts as right until the opposite is proven, on each link anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LIVE_S = 60.0
"""A value that is older than this is history [C-24]."""
AGREE_N = 5
"""So many messages in a row prove a clock that is off ..."""
AGREE_OVER_S = 60.0
"""... when they came over at least this time: a queue is delivered faster than it was filled, so its lag shrinks ..."""
AGREE_S = 10.0
"""... and their lags differ by no more than this."""
PLUGGED_S = 30.0
"""A begin that is told so soon after its EVSE became occupied did not wait."""


@dataclass(slots=True)
class _Run:
    """Messages in a row whose lags agree."""

    since: datetime
    least_s: float
    most_s: float
    n: int = 1
    last_at: datetime | None = None

    def takes(self, lag_s: float, now: datetime) -> bool:
        """Count a lag that agrees with those before; false where it does not."""
        least_s, most_s = min(self.least_s, lag_s), max(self.most_s, lag_s)
        if most_s - least_s > AGREE_S:
            return False
        self.least_s, self.most_s, self.n, self.last_at = least_s, most_s, self.n + 1, now
        return True

    @property
    def is_long(self) -> bool:
        """Are they enough, over long enough?"""
        if self.n < AGREE_N or self.last_at is None:
            return False
        return (self.last_at - self.since).total_seconds() >= AGREE_OVER_S


@dataclass(slots=True)
class StationClock:
    """The clock of a station on one link. ``behind_s``: by how much it is known to be behind ours; negative: ahead."""

    behind_s: float = 0.0
    before_s: float | None = None
    """By how much it was proven to be behind on an earlier link."""
    _run: _Run | None = None
    _prompt_lag_s: float | None = None
    _plugged_at: datetime | None = None

    def heard(self, said_at: datetime, now: datetime, *, may_wait: bool) -> float | None:
        """A message of this time arrived; ``may_wait``: one of a kind that waits in a queue while there is no link.

        Returns how far the clock is behind at the most once values prove it, else ``None``. Nothing waits for less than
        no time, so a clock ahead is proven by values alone; one behind by values and something that did not wait: a
        state, a begin that was seen, or the same lag on an earlier link.
        """
        lag_s = (now - said_at).total_seconds()
        if not may_wait:
            self._prompt_lag_s = lag_s
        elif self._run is None or not self._run.takes(lag_s, now):
            self._run = _Run(since=now, least_s=lag_s, most_s=lag_s)
        if self._run is None or not self._run.is_long:
            return None
        found_s = self._run.least_s
        if abs(found_s) <= LIVE_S:
            self.behind_s = 0.0
        elif found_s < 0.0 or self._is_confirmed(found_s):
            self.behind_s = found_s
        return found_s

    def _is_confirmed(self, found_s: float) -> bool:
        proof_s = self._prompt_lag_s if self._prompt_lag_s is not None else self.before_s
        return proof_s is not None and abs(proof_s - found_s) <= LIVE_S

    def plugged(self, now: datetime) -> None:
        """An EVSE that was free on this link says that it is occupied."""
        self._plugged_at = now

    def began(self, said_at: datetime, now: datetime) -> None:
        """A transaction began; in 1.6 states need not carry a time, but this time is that of a change that was seen."""
        if self._plugged_at is not None and (now - self._plugged_at).total_seconds() <= PLUGGED_S:
            self.heard(said_at, now, may_wait=False)
        self._plugged_at = None

    def read(self, said_at: datetime, now: datetime) -> tuple[datetime, bool]:
        """When that was by our clock, never later than now by more than a live value may be, and whether it is live.

        A time that is right by our clock is live as well where the station was behind: it has put its clock right.
        """
        lag_s = (now - said_at).total_seconds()
        if abs(lag_s) <= LIVE_S and self.behind_s >= 0.0:
            return said_at, True
        age_s = lag_s - self.behind_s
        if age_s < -LIVE_S:
            return now, False  # ahead of all that is known of its clock: nobody can say when that was
        return now - timedelta(seconds=max(age_s, 0.0)), age_s <= LIVE_S
