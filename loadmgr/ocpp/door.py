"""The door: what becomes of a handshake, and what the service is told of those that are turned away."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator

from loadmgr.domain import events as ev
from loadmgr.domain.access import Credentials, SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.domain.security import SecurityEventReported
from loadmgr.ocpp.access.gatekeeper import Gatekeeper
from loadmgr.ocpp.access.identity import Directory, admitted_by
from loadmgr.ocpp.access.verdict import Reason, Verdict
from loadmgr.ocpp.access.waiting import WaitingRoom
from loadmgr.ocpp.held import Held
from loadmgr.ocpp.host import Host
from loadmgr.ocpp.links import Farewell
from loadmgr.ocpp.transport.contract import Admission, Answer, Conversation, Knock, Line
from loadmgr.ocpp.versions import ASSUMED, VERSIONS
from loadmgr.settings import OcppSettings

log = logging.getLogger(__name__)

QUIET_S = 600.0
"""The same thing about the same station is reported once in this time: whoever guesses does not fill the event log."""
REPORTED = 1000
_KINDS = {
    Reason.CERTIFICATE_NAME: "InvalidChargingStationCertificate",
    Reason.CERTIFICATE_ORGANIZATION: "InvalidChargingStationCertificate",
    Reason.DOWNGRADE: "SecurityProfileDowngrade",
    Reason.WRONG_PROFILE: "WrongSecurityProfile",
}
FAILED = "FailedToAuthenticateAtCsms"
CONTESTED = "ContestedIdentity"
CONTESTS, CONTEST_S = 3, 600.0
"""So many links that end another one within this time, and two chargers may have one identity [A08, A09]."""

Begin = Callable[[StationId, str, Line, str], Conversation]
"""The conversation with a station that was let in: station, subprotocol, line, serial number in its certificate."""


class Door:
    """See the module; ``admit`` is the listener's ``Doorman``."""

    def __init__(
        self,
        settings: OcppSettings,
        host: Host,
        begin: Begin,
        delay_s: Callable[[StationId], float],
        numbers: Iterator[int],
    ) -> None:
        self._settings = settings
        self._host = host
        self._begin = begin
        self._delay_s = delay_s
        self._numbers = numbers
        self.room = WaitingRoom()
        self.keeper = Gatekeeper(
            access=settings.stations,
            directory=Directory.of(settings.stations),
            tls=settings.tls,
            prefix=settings.path,
            on_proven=self._proven,
            may_hold=self.room.has_place if settings.waiting_room == "hold" else None,
        )
        self._misnamed: set[StationId] = set()
        self._reported: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._taken: dict[StationId, deque[tuple[float, str]]] = {}

    def admit(self, knock: Knock) -> Answer | Awaitable[Answer]:
        """Before the upgrade: path, identity, security profile and proof. Unknown and wrong get the same answer [G01]."""
        found = self.keeper.judge(knock, self._host.clock.monotonic_s())
        return self._judged(knock, found) if isinstance(found, Verdict) else self._later(knock, found)

    async def _later(self, knock: Knock, found: Awaitable[Verdict]) -> Answer:
        answer = self._judged(knock, await found)
        return await answer if isinstance(answer, Awaitable) else answer

    def _judged(self, knock: Knock, verdict: Verdict) -> Answer | Awaitable[Answer]:
        station = verdict.admitted
        if station is not None and station in self._host.site.stations:
            if verdict.identity != station:
                log.info("connects by an alias", extra={"station": station, "alias": verdict.identity})
            if knock.certificate is not None and verdict.profile is SecurityProfile.TLS_CLIENT:
                self._host.security.certificates.saw(station, knock.certificate)
            wait_s = self._delay_s(station)
            return self._welcome(knock, station) if not wait_s else self._patiently(knock, station, wait_s)
        self._tell(knock, verdict)
        if verdict.hold:
            return self._hold(knock, verdict.identity)
        refusal = verdict.refusal(self._settings.path)
        assert refusal is not None  # it was not let in  # noqa: S101
        return refusal

    async def _patiently(self, knock: Knock, station: StationId, wait_s: float) -> Answer:
        await self._host.clock.sleep(wait_s)  # [A06, G-44]
        return self._welcome(knock, station)

    def _welcome(self, knock: Knock, station: StationId) -> Admission:
        """With our preferred one of the subprotocols; none: the handshake ends without the header (domain rule E.1)."""
        chosen = next((name for name in VERSIONS if name in knock.offered), None)
        spoken = chosen
        if chosen is None and not knock.has_offer and self._settings.stations[station].assume_ocpp16:
            spoken = ASSUMED
        if spoken is None:
            why = f"offer one of the subprotocols {', '.join(VERSIONS)}"
            return Admission(subprotocol=None, begin=lambda line: Farewell(line, why))
        version, shown = spoken, self._shown_name(knock, station)
        return Admission(subprotocol=chosen, begin=lambda line: self._begin(station, version, line, shown))

    def _shown_name(self, knock: Knock, station: StationId) -> str:
        """The serial number in its certificate, where the site file says that this is what stands there [E-12]."""
        certificate, named = knock.certificate, self._settings.stations[station].certificate_name
        if certificate is None or named is None or self.keeper.profile(station) is not SecurityProfile.TLS_CLIENT:
            return ""
        return certificate.common_name

    def _hold(self, knock: Knock, identity: str) -> Admission:
        """An unknown station waits on an open link, without any right, for an operator to admit it."""
        chosen = next((name for name in VERSIONS if name in knock.offered), None)
        if chosen is None:
            why = f"offer one of the subprotocols {', '.join(VERSIONS)}"
            return Admission(subprotocol=None, begin=lambda line: Farewell(line, why))
        version, who = VERSIONS[chosen].ocpp, (identity, knock.address)

        def begin(line: Line) -> Conversation:
            return Held(line, version, who, self.room, self._host.clock.now)

        return Admission(subprotocol=chosen, begin=begin)

    # -- what the service is told ----------------------------------------------------------------------------------

    def _tell(self, knock: Knock, verdict: Verdict) -> None:
        """Tell the log; of a known station its history as well, of an unknown one the waiting room."""
        identity, now = verdict.identity[:64], self._host.clock.now()
        facts = {"station": identity[:48], "address": knock.address, "reason": str(verdict.reason or "held")}
        if verdict.resembles is not None:
            facts["remedy"] = admitted_by(identity, verdict.resembles)
            self._misnamed_as(verdict.resembles, facts["remedy"])
        log.warning("refused", extra=facts)
        if verdict.hold or verdict.reason in {Reason.UNKNOWN, Reason.RESEMBLES}:
            self.room.knocked(identity, knock, now, verdict.resembles or "")
        if verdict.station is not None and verdict.reason is not None and self._is_news(verdict.station, verdict.reason):
            self.report(
                verdict.station,
                _KINDS.get(verdict.reason, FAILED),
                f"{verdict.reason} from {knock.address}",
                is_critical=verdict.critical,
            )

    def taken_over(self, station: StationId, line: Line, old: Line) -> None:
        """A new link of a station ends an older one: often that was dead already; again and again, it is a quarrel."""
        now_s = self._host.clock.monotonic_s()
        taken = self._taken.setdefault(station, deque(maxlen=CONTESTS))
        taken.append((now_s, line.address))
        log.warning("replaced", extra={"station": station, "address": line.address, "before": old.address})
        is_contested = len(taken) == CONTESTS and now_s - taken[0][0] < CONTEST_S
        if is_contested and self._is_news(station, CONTESTED):
            places = ", ".join(sorted({address for _, address in taken} | {old.address}))
            info = f"{CONTESTS} links took over from another one within {CONTEST_S / 60:.0f} min, from {places}"
            self.report(station, CONTESTED, info, is_critical=True)

    def report(self, station: StationId, kind: str, info: str, *, is_critical: bool) -> None:
        """A security event that this service saw."""
        self._host.take(
            SecurityEventReported(
                at=self._host.clock.now(),
                station=station,
                kind=kind,
                is_critical=is_critical,
                origin="service",
                tech_info=info[:255],
            )
        )

    def _is_news(self, station: StationId, what: str) -> bool:
        now_s = self._host.clock.monotonic_s()
        if now_s - self._reported.get((station, what), float("-inf")) < QUIET_S:
            return False
        self._reported[station, what] = now_s
        self._reported.move_to_end((station, what))
        while len(self._reported) > REPORTED:
            self._reported.popitem(last=False)
        return True

    def _misnamed_as(self, station: StationId, remedy: str) -> None:
        """A station that only writes its identity otherwise: its history says so, once [G-55]."""
        if station in self._misnamed:
            return
        self._misnamed.add(station)
        self._host.take(
            ev.CommandAnswered(
                at=self._host.clock.now(),
                no=next(self._numbers),
                station=station,
                command="Connect",
                accepted=False,
                detail=remedy,
            )
        )

    def _proven(self, _station: StationId, credentials: Credentials) -> None:
        """The station came with what it was offered: from now on only that is good [E-13, E-14]."""
        self._host.take(
            ev.CredentialsChanged(at=self._host.clock.now(), credentials=credentials, what="proven by the station")
        )
