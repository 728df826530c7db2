"""Values over time: building load, PV, prices. Piecewise constant, aware UTC."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadmgr.domain.ids import NodeId
from loadmgr.errors import SiteModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """``values[i]`` holds from ``times[i]`` until the next time. ``repeat_s`` (86400 or 604800) continues the last
    period for ever; without it the last value is held, and there is no value before the first time.

    Raises ``SiteModelError`` when the times do not grow, or counts differ.
    """

    times: tuple[datetime, ...]
    values: tuple[float, ...]
    repeat_s: int | None = None

    def __post_init__(self) -> None:
        if not self.times or len(self.times) != len(self.values):
            raise SiteModelError(f"series needs as many values as times, got {len(self.values)} and {len(self.times)}")
        if any(b <= a for a, b in zip(self.times, self.times[1:], strict=False)):
            raise SiteModelError("series: times must grow strictly")

    def at(self, when: datetime) -> float:
        """The value in force at ``when``; the first value before the series begins."""
        first, last = self.times[0], self.times[-1]
        if self.repeat_s is not None:
            period = timedelta(seconds=self.repeat_s)
            if when >= last + (last - self.times[-2] if len(self.times) > 1 else period):
                cycles = -((last - when) // period)
                when -= cycles * period
            elif when < first:
                cycles = -((when - first) // period)
                when += cycles * period
        index = bisect_right(self.times, when) - 1
        return self.values[max(index, 0)]

    def mean(self, start: datetime, length_s: float) -> float:
        """Time-weighted mean over ``[start, start + length_s)``, sampled at the series' own boundaries."""
        end = start + timedelta(seconds=length_s)
        cuts = [start, *(t for t in self.times if start < t < end), end]
        if self.repeat_s is not None:
            step_s = (self.times[1] - self.times[0]).total_seconds() if len(self.times) > 1 else float(self.repeat_s)
            count = max(int(length_s // step_s), 1)
            cuts = [start + timedelta(seconds=length_s * i / count) for i in range(count)] + [end]
        total = 0.0
        for left, right in zip(cuts, cuts[1:], strict=False):
            total += self.at(left) * (right - left).total_seconds()
        return total / length_s


@dataclass(frozen=True, slots=True, kw_only=True)
class UncontrolledLoad:
    """What hangs on a node besides EVSEs. Forecasts in kW (three-phase sum, split evenly); ``None`` = unknown.

    When the node has a meter the measured value is used for the present and the series for the shape ahead.
    """

    node: NodeId
    load_kw: Series | None = None
    pv_kw: Series | None = None
    is_curtailable: bool = False
    """The plan may ask for less PV."""
