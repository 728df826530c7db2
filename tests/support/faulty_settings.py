"""The site file of the tests of faults, and the settings that they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadmgr.settings import OcppSettings, Settings
from loadmgr.sim.scenario import on_any_port

PARAMS: Mapping[str, Any] = {
    "protect_s": 2.0,
    "plan_s": 60.0,
    "plan_life_s": 180.0,
    "sample_interval_s": 15.0,
    "horizon": ((5, 60.0), (5, 300.0), (4, 1800.0)),
}

SITE = """
format = 1
[site]
id = "faulty"
timezone = "Europe/Berlin"
voltage_v = 230
[nodes.town]
current_a = 9999
[nodes.grid]
parent = "town"
current_a = 56
source = "main fuse"
meter = "grid-meter"
base_max_a = 20
[nodes.grid.load]
constant_kw = 5.5
[[station_groups]]
ids = ["good-1", "good-2"]
node = "grid"
phases = 3
current_max_a = 16
failsafe_a = 6
password = "good-password-0002"
[[station_groups]]
ids = ["odd"]
node = "grid"
phases = 3
current_max_a = 32
failsafe_a = 6
password = "odd-password-0001"
{traits}
{more}
[tariff]
currency = "EUR"
[[tariff.bands]]
from = "00:00"
import_per_kwh = 0.25
[ocpp]
listen = "127.0.0.1:9000"
"""

CROWD = """
[[station_groups]]
ids = [{ids}]
node = "town"
phases = 3
current_max_a = 16
failsafe_a = 0
password = "crowd-password-003"
"""


Change = Callable[[OcppSettings], OcppSettings]


def faulty_site(
    folder: Path, *, params: Mapping[str, Any] | None = None, ocpp: Change | None = None, crowd: int = 0, traits: str = ""
) -> Settings:
    """The site on free ports: a fuse of 56 A for chargers of 16, 16 and 32 A and a house of 8 A.

    With the fail-safe of the faulty one unknown, the healthy ones get little more than 6 A each.
    """
    ids = ", ".join(f'"c-{n}"' for n in range(crowd))
    path = folder / "faulty.toml"
    path.write_text(SITE.format(more=CROWD.format(ids=ids) if crowd else "", traits=traits), encoding="utf-8")
    loaded = on_any_port(Settings.load(path), f"sqlite:///{folder / 'faulty.db'}")
    context = replace(loaded.context, params=replace(loaded.context.params, **{**PARAMS, **(params or {})}))
    return replace(loaded, context=context, ocpp=ocpp(loaded.ocpp) if ocpp is not None else loaded.ocpp)


def limited(**limits: Any) -> Change:
    """Other limits of links; ``ping_s`` and ``tls`` are settings beside them."""
    beside = {name: limits.pop(name) for name in ("ping_s", "tls", "listen") if name in limits}
    return lambda ocpp: replace(ocpp, limits=replace(ocpp.limits, **limits), **beside)
