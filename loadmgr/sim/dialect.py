"""What a twin and its protocol version share: a transaction, and what a version must be able to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from loadmgr.sim.acceptance import Abilities
from loadmgr.sim.doors import Wire
from loadmgr.sim.outlet import Outlet
from loadmgr.sim.rpc import RawClient

if TYPE_CHECKING:
    from loadmgr.sim.station import Twin


@dataclass(slots=True)
class Transaction:
    """A transaction of the twin, with what it tells the central system. Registers are the exact ones, whole Wh."""

    id_tag: str
    began_at: datetime
    start_wh: int
    start_export_wh: int = 0
    id: str = ""
    seq_no: int = 0
    ended_at: datetime | None = None
    stop_wh: int = 0
    stop_export_wh: int = 0
    reason: str = "Local"
    depart_at: datetime | None = None
    remote_start_id: int | None = None
    reservation: int | None = None
    began_offline: bool = False
    ended_offline: bool = False
    state: str = "Preparing"
    mode: str = ""

    @property
    def energy_wh(self) -> int:
        """The import that the service must agree with."""
        return self.stop_wh - self.start_wh

    @property
    def export_wh(self) -> int:
        """What the car gave back."""
        return self.stop_export_wh - self.start_export_wh


class Dialect(Protocol):
    """What differs between the versions. Every call raises ``ConnectionError`` or ``TimeoutError`` without a link."""

    subprotocol: str
    version: str

    def abilities(self, twin: Twin) -> Abilities:
        """What a station of this version can do."""

    def extension(self, twin: Twin) -> Any:
        """What only this version has, with a task ``run``; ``None`` for none."""

    def client(self, twin: Twin, wire: Wire) -> RawClient:
        """A client for a new link."""

    async def boot(self, client: Any, reason: str) -> bool:
        """Announce the station; true when it is accepted."""

    async def status(self, client: Any, outlet: Outlet, state: str) -> None:
        """Say the state of an EVSE."""

    async def begin(self, client: Any, outlet: Outlet, message: Transaction) -> None:
        """Start of a transaction; fills in its id."""

    async def changed(self, client: Any, outlet: Outlet, message: Transaction, state: str) -> None:
        """The charging state or operation mode changed during a transaction."""

    async def sample(self, client: Any, outlet: Outlet, message: Transaction) -> None:
        """Meter values now."""

    async def end(self, client: Any, outlet: Outlet, message: Transaction) -> None:
        """End of a transaction."""

    async def main_meter(self, client: Any, at: datetime, current_a: tuple[float, float, float], power_kw: float) -> None:
        """Values of the main meter."""

    async def minute(self, client: Any, twin: Twin) -> None:
        """What a station does from time to time: heartbeat, event streams, pulled updates."""
