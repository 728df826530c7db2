"""The OCPP 2.0.1 side of a twin, on the ``ocpp`` package's client class."""

from __future__ import annotations

from ocpp.v201 import ChargePoint

from loadmgr.sim.acceptance import Abilities
from loadmgr.sim.doors import Wire
from loadmgr.sim.station import Twin
from loadmgr.sim.twin2x import Client2x, Dialect2x


class Client201(Client2x, ChargePoint):  # type: ignore[misc]  # the ocpp package has no types
    """One open link of a twin."""


class Dialect201(Dialect2x):
    """OCPP 2.0.1."""

    subprotocol = "ocpp2.0.1"
    version = "2.0.1"
    model = "Twin 2.0.1"

    def abilities(self, twin: Twin) -> Abilities:
        """Classic purposes and kinds."""
        return Abilities(version="2.0.1", is_dc=twin.evse.caps.is_dc, evse=twin.evse.number)

    def client(self, twin: Twin, wire: Wire) -> Client201:
        """A client for a new link."""
        return Client201(twin, wire)
