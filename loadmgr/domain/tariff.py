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
class DemandCharge:
    """A price on the highest mean import over ``window_s`` in a calendar month, counted between two times of day.

    ``from_time`` = ``until_time``: all day. ``weekdays`` are 0 (Monday) to 6.
    """

    name: str
    price_per_kw: float
    window_s: float = 900.0
    from_time: time = time(0)
    until_time: time = time(0)
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)

    def counts_at(self, local: datetime) -> bool:
        """True when import at this local time counts."""
        if local.weekday() not in self.weekdays:
            return False
        if self.from_time == self.until_time:
            return True
        if self.from_time < self.until_time:
            return self.from_time <= local.time() < self.until_time
        return local.time() >= self.from_time or local.time() < self.until_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Prices of a site in ``currency``. A series, where given, wins over the bands."""

    currency: str = "EUR"
    bands: tuple[TariffBand, ...] = ()
    series: Series | None = None
    export_per_kwh: float = 0.0
    timezone: str = "UTC"
    demand: tuple[DemandCharge, ...] = ()
    carbon_per_kg: float = 0.0
    """Price of a kilogram of carbon dioxide; 0: carbon is not looked at."""
    carbon_kg_per_kwh: float = 0.0
    carbon_series: Series | None = None
    """Carbon of the grid's energy over time; wins over the constant."""

    def carbon_price(self, at: datetime) -> float:
        """Money per kWh imported for its carbon."""
        rate = self.carbon_series.at(at) if self.carbon_series is not None else self.carbon_kg_per_kwh
        return rate * self.carbon_per_kg

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
