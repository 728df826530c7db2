"""Names of things. A NewType costs nothing and stops a station id from being passed as a node id."""

from __future__ import annotations

from typing import NewType

SiteId = NewType("SiteId", str)
NodeId = NewType("NodeId", str)
StationId = NewType("StationId", str)
EvseId = NewType("EvseId", str)
"""``<station>/<number>``, for example ``CA-305/1``."""
MeterId = NewType("MeterId", str)
SessionId = NewType("SessionId", str)
LimitId = NewType("LimitId", str)


def evse_id(station: StationId, evse_no: int) -> EvseId:
    """The id of EVSE number ``evse_no`` (1-based; the connectorId in OCPP 1.6) of a station."""
    return EvseId(f"{station}/{evse_no}")


def split_evse(evse: EvseId) -> tuple[StationId, int]:
    """Inverse of :func:`evse_id`."""
    station, _, number = evse.rpartition("/")
    return StationId(station), int(number)


def evse_meter(evse: EvseId) -> MeterId:
    """The meter inside an EVSE has the name of the EVSE."""
    return MeterId(evse)
