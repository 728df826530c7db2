"""What energy costs: a time-of-use table in local time, or a price series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from loadmgr.domain.series import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffBand:
    """``import_per_kwh`` holds from ``from_time`` until the next band of the same day, local time.

    ``weekdays`` are 0 (Monday) to 6.
    """

    from_time: time
    import_per_kwh: float
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Prices of a site in ``currency``. A series, where given, wins over the bands."""

    currency: str = "EUR"
    bands: tuple[TariffBand, ...] = ()
    series: Series | None = None
    export_per_kwh: float = 0.0
    timezone: str = "UTC"

    def import_price(self, at: datetime) -> float:
        """Price of a kWh imported at ``at``; 0 when the tariff states nothing."""
        if self.series is not None:
            return self.series.at(at)
        if not self.bands:
            return 0.0
        local = at.astimezone(ZoneInfo(self.timezone))
        today = [b for b in self.bands if local.weekday() in b.weekdays]
        started = [b for b in today if b.from_time <= local.time()]
        if started:
            return max(started, key=lambda b: b.from_time).import_per_kwh
        yesterday = (local.weekday() - 1) % 7
        before = [b for b in self.bands if yesterday in b.weekdays] or list(self.bands)
        return max(before, key=lambda b: b.from_time).import_per_kwh
