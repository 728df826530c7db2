"""Control parameters with the defaults of domain rule H.2."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlParams:
    """Every time in seconds, every current in A per phase. The site file's ``[control]`` table sets these."""

    protect_s: float = 1.0
    """Period of the protect loop."""
    plan_s: float = 30.0
    """Period of the plan loop."""
    setpoint_s: float = 180.0
    """Life of a live profile; after it the charger's own fail-safe holds."""
    refresh_s: float = 90.0
    """An unchanged setpoint is sent again after this time."""
    increase_interval_s: float = 30.0
    """Least time between two increases of one EVSE [F-41]."""
    deadband_a: float = 0.5
    deadband_frac: float = 0.03
    """Smaller changes are not sent, unless a limit demands it."""
    margin_a: float = 1.0
    margin_frac: float = 0.05
    """Kept free below each limit: the larger of the two [F-40]."""
    min_on_s: float = 300.0
    min_off_s: float = 300.0
    """Least time between start and pause of a car, unless a limit demands it [A-82]."""
    rotation_s: float = 900.0
    """Length of a turn when the cars do not all fit at their minimum [A-83]."""
    meter_hold_s: float = 15.0
    """Site meter older than this: no increases [H-2]."""
    meter_stale_s: float = 30.0
    """Site meter older than this: the worst recent value counts, and after twice this time the static maximum."""
    sample_interval_s: float = 10.0
    """How often a charger shall send meter values."""
    call_timeout_s: float = 30.0
    obey_s: float = 60.0
    """A car that draws more than its setpoint allows for this long is disobedient [G-112]."""
    plan_life_s: float = 90.0
    """A plan older than this is not fresh; rules share the capacity instead."""
    horizon: tuple[tuple[int, float], ...] = ((5, 60.0), (11, 300.0), (20, 900.0), (12, 1800.0), (12, 3600.0))
    """Step grid of the plan as (count, seconds): a minute at first, then coarser, 24 h in all."""
    engine: str = "highs"
    solve_deadline_s: float = 5.0
    energy_default_kwh: float = 10.0
    stay_default_s: float = 14_400.0
    """What a session is assumed to need when nobody says [D-41]."""
    sooner_weight: float = 1.0
    change_weight: float = 1.0
    forecast_quantile: float = 0.9
    """Base load ahead is planned for at this quantile of recent forecast errors; 0.5 is the middle."""
    depart_quantile: float = 0.1
    """A departure that nobody said is planned at this quantile of what is known of the user and the site."""
    trusts_drivers: bool = True
    """False: a driver's word on the departure is corrected by how such words came out before."""
    battery_stale_s: float = 120.0
    """A battery that has been silent for longer takes no part in the plan."""
    taper_from_frac: float = 0.8
    taper_end_frac: float = 0.15
    """On direct current power falls from full at ``taper_from_frac`` of the capacity to this part of it when full."""
    v2g_wear_per_kwh: float = 0.05
    v2g_efficiency: float = 0.92
    """One way, charger and car; both ways cost it twice."""

    @property
    def evse_stale_s(self) -> float:
        """An EVSE sample older than this is not believed [C-11]."""
        return max(self.sample_interval_s + 10.0, 30.0)
