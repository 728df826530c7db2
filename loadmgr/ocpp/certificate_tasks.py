"""Certificates over the links of stations: requests are signed, roots installed and removed, old ones renewed (rule E.3)."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING

from loadmgr import certificates
from loadmgr.certificates import Authority, CertificateError
from loadmgr.control import security_state
from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain import security as sec
from loadmgr.domain.ids import StationId
from loadmgr.domain.security import CertificateUse, Outcome
from loadmgr.errors import SiteModelError
from loadmgr.ocpp.reply import Reply
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.security_tasks import RETRY_S, SecurityTasks, outcome_of
from loadmgr.ocpp.transport.contract import ClientCertificate

if TYPE_CHECKING:
    from loadmgr.ocpp.connection import Connection
    from loadmgr.ocpp.session import Incoming
    from loadmgr.ocpp.translation import Handled

log = logging.getLogger(__name__)

CHAIN_MAX = 10_000
"""Characters of a chain that every version's schema allows."""
LOOK_S = 600.0
"""How often a link is looked at for a certificate that runs out."""
ASK_AGAIN_S = 86_400.0
ROOTS_16 = (CertificateUse.CSMS_ROOT, CertificateUse.MANUFACTURER_ROOT)
_USES = {
    "ChargingStationCertificate": CertificateUse.STATION,
    "V2GCertificate": CertificateUse.V2G,
    "V2G20Certificate": CertificateUse.V2G20,
}


class CertificateTasks:
    """See the module. Without an ``authority`` requests of stations are refused."""

    def __init__(self, tasks: SecurityTasks, authority: Authority | None = None) -> None:
        self._tasks = tasks
        self.authority = authority
        self._wanted: dict[StationId, Json] = {}
        self._signing: set[StationId] = set()
        self._looked_s: dict[StationId, float] = {}
        self._renewed_s: dict[StationId, float] = {}

    # -- requests of stations --------------------------------------------------------------------------------------

    def heard(self, link: Connection, call: Incoming, handled: Handled) -> None:
        """A station asks for a certificate: accepted at once when somebody can sign it, and signed later (A02).

        One request per station is worked on; of those that come meanwhile the newest counts.
        """
        if call.action != "SignCertificate" or self.authority is None:
            return
        station = link.desk.station
        use = _USES.get(call.payload.get("certificateType", "ChargingStationCertificate"))
        if use not in self.authority.uses:
            log.warning("request refused", extra={"station": station, "use": str(use)})
            return
        handled.answer = {"status": "Accepted"}
        self._wanted[station] = call.payload
        if station not in self._signing:
            self._signing.add(station)
            self._tasks.spawn(self._work(station))

    async def _work(self, station: StationId) -> None:
        try:
            while station in self._wanted:
                await self._sign(station, self._wanted.pop(station))
        finally:
            self._signing.discard(station)

    async def _sign(self, station: StationId, asked: Json) -> None:
        """Have a request signed in a worker thread and hand the chain over."""
        said = asked.get("certificateType")
        access, authority = self._tasks.access_of(station), self.authority
        if authority is None:
            return
        request = certificates.Request(
            station=station,
            use=_USES[said] if said is not None else CertificateUse.STATION,
            csr=asked["csr"],
            names=(access.certificate_name or str(station),),
        )
        try:
            signed = await asyncio.to_thread(authority.sign, request, self._now())
            link = await self._tasks.linked(station)
            if link is None:
                return
            chain = certificates.joined(signed.chain, await self._chain_max(link))
        except CertificateError as error:
            self._refused(station, str(error))
            return
        command = sec.GiveCertificate(
            no=next(self._tasks.numbers),
            station=station,
            chain=chain,
            use=_USES[said] if said is not None else None,
            request=asked.get("requestId"),
        )
        if await self._give(station, command):
            known = self._known(station, request.use, signed.serial, signed.not_after, "signed", signed.subject)
            self._tasks.shell.take(known)

    async def _give(self, station: StationId, command: sec.GiveCertificate) -> bool:
        """Hand the chain over; again while the answer is lost, unless the station has asked anew."""
        for wait_s in (*RETRY_S, 0.0):
            link = await self._tasks.linked(station)
            if link is None:
                return False
            outcome = outcome_of(await self._tasks.ask(link, command))
            log.info("certificate given", extra={"station": station, "outcome": outcome.value})
            if outcome is not Outcome.LOST:
                return outcome is Outcome.ACCEPTED
            if station in self._wanted:
                return False
            await self._tasks.shell.clock.sleep(wait_s)
        return False

    async def _chain_max(self, link: Connection) -> int:
        """The longest chain that the station takes, in characters."""
        name = link.version.chain_max
        command = cmd.ReadSettings(no=next(self._tasks.numbers), station=link.desk.station, names=(name,))
        reply = await self._tasks.ask(link, command)
        told = dict(link.version.values(reply.action, reply.payload)) if reply.action else {}
        text = told.get(name, "")
        return min(int(text), CHAIN_MAX) if text.isdecimal() and int(text) > 0 else CHAIN_MAX

    def _refused(self, station: StationId, why: str) -> None:
        """Tell that a request was not signed: in the history of the station and among its security events."""
        now = self._now()
        log.warning("request not signed", extra={"station": station, "reason": why})
        told = sec.SecurityEventReported(
            at=now, station=station, kind="InvalidSigningRequest", origin="service", tech_info=why[:255]
        )
        no = next(self._tasks.numbers)
        answer = ev.CommandAnswered(
            at=now, no=no, station=station, command="SignCertificate", accepted=False, detail=why[:200]
        )
        self._tasks.shell.take(told, answer)

    # -- orders of operators ---------------------------------------------------------------------------------------

    async def installed(self, station: StationId, use: CertificateUse | None = None) -> tuple[sec.InstalledCertificate, ...]:
        """What a station says it has installed. Raises ``SiteModelError`` when it does not say."""
        link = self._tasks.speaking(station)
        uses: tuple[CertificateUse | None, ...] = (use,)
        if use is None and link.version.ocpp == "1.6":
            uses = ROOTS_16
        found: list[sec.InstalledCertificate] = []
        for one in uses:
            command = sec.ReadCertificates(no=next(self._tasks.numbers), station=station, use=one)
            reply = await self._tasks.ask(link, command)
            if not reply.accepted and not reply.detail.startswith("NotFound"):
                raise SiteModelError(f"station {station!r} does not say which certificates it has: {reply.detail}")
            found += link.version.installed(reply.payload, one)
        return tuple(found)

    async def install(self, station: StationId, use: CertificateUse, pem: str, *, actor: str) -> Reply:
        """Install a root (M05). Raises ``SiteModelError`` for what is no certificate of an authority that is valid now."""
        try:
            root = certificates.root_of(pem, self._now())
        except CertificateError as error:
            raise SiteModelError(str(error)) from None
        link = self._tasks.speaking(station)
        no, subject = next(self._tasks.numbers), certificates.subject_of(root)
        self._tasks.asked(station, "certificate installed", actor, no=no, detail=f"{use.value}: {subject}"[:200])
        reply = await self._tasks.ask(link, sec.InstallCertificate(no=no, station=station, use=use, certificate=pem))
        if reply.accepted:
            serial = certificates.serial_of(root)
            self._tasks.shell.take(self._known(station, use, serial, root.not_valid_after_utc, "installed", subject))
        return reply

    async def delete(self, station: StationId, named: sec.CertificateHash, *, actor: str) -> Reply:
        """Remove a certificate (M04), unless it is the only root by which the station knows us that can be valid.

        Raises ``SiteModelError`` then, and when the station does not say which roots it has.
        """
        roots = [c.hash for c in await self.installed(station, CertificateUse.CSMS_ROOT)]
        if any(_same(root, named) for root in roots):
            others = [r for r in roots if not _same(r, named) and self._may_be_valid(station, r)]
            if not others:
                raise SiteModelError(
                    f"certificate {named.serial} is the only valid root by which station {station!r} knows this service;"
                    " install another one first"
                )
        link = self._tasks.speaking(station)
        no = next(self._tasks.numbers)
        self._tasks.asked(station, "certificate deleted", actor, no=no, detail=f"serial {named.serial}")
        reply = await self._tasks.ask(link, sec.DeleteCertificate(no=no, station=station, certificate=named))
        if reply.accepted:
            for known in self._tasks.shell.state.security.certificates_of(station):
                if certificates.same_serial(known.serial, named.serial):
                    self._tasks.shell.take(sec.CertificateGone(at=self._now(), station=station, serial=known.serial))
        return reply

    def _may_be_valid(self, station: StationId, root: sec.CertificateHash) -> bool:
        """Of a root that we installed we know until when it is valid; of others nobody has told us that it is over."""
        known = self._tasks.shell.state.security.certificates_of(station)
        mine = (c for c in known if certificates.same_serial(c.serial, root.serial))
        return all(c.not_after > self._now() for c in mine)

    async def renew(self, station: StationId, *, actor: str) -> Reply:
        """Ask a station for a new request (A02)."""
        link = self._tasks.speaking(station)
        if self.authority is None:
            raise SiteModelError("nobody can sign certificates here; set ocpp.security.ca, or give the service an authority")
        no = next(self._tasks.numbers)
        self._tasks.asked(station, "certificate renewal", actor, no=no)
        return await self._tasks.ask(link, sec.RenewCertificate(no=no, station=station))

    # -- time ------------------------------------------------------------------------------------------------------

    def saw(self, station: StationId, certificate: ClientCertificate) -> None:
        """A station has shown its certificate: remember until when it is valid."""
        known = self._tasks.shell.state.security.own_certificate(station)
        if (
            known is None
            or known.not_after != certificate.not_after
            or not certificates.same_serial(known.serial, certificate.serial)
        ):
            use, name = CertificateUse.STATION, certificate.common_name
            told = self._known(station, use, certificate.serial, certificate.not_after, "seen", f"CN={name}")
            self._tasks.shell.take(told)

    def look_after(self, link: Connection) -> None:
        """Renew a certificate that is valid for less than thirty days, at most once a day (rule E.3)."""
        station, now_s = link.desk.station, self._tasks.now_s
        if now_s < self._looked_s.get(station, float("-inf")) + LOOK_S or self.authority is None:
            return
        self._looked_s[station] = now_s
        is_asked = now_s < self._renewed_s.get(station, float("-inf")) + ASK_AGAIN_S
        if is_asked or not security_state.is_renewal_due(self._tasks.shell.state.security, station, self._now()):
            return
        if self._tasks.link_of(station) is not link:
            return
        self._renewed_s[station] = now_s
        link.send(sec.RenewCertificate(no=next(self._tasks.numbers), station=station))

    def _now(self) -> datetime:
        return self._tasks.shell.clock.now()

    def _known(
        self, station: StationId, use: CertificateUse, serial: str, not_after: datetime, *words: str
    ) -> sec.CertificateKnown:
        source, subject = words
        return sec.CertificateKnown(
            at=self._now(),
            station=station,
            use=use,
            serial=serial[:64],
            not_after=not_after,
            source=source,
            subject=subject[:200],
        )


def _same(one: sec.CertificateHash, other: sec.CertificateHash) -> bool:
    """Serial numbers are unique per issuer; stations may use another hash, and then the serial number alone decides."""
    if not certificates.same_serial(one.serial, other.serial):
        return False
    return one.algorithm != other.algorithm or one.issuer_key.lower() == other.issuer_key.lower()
