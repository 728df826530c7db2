"""Decides who comes in: one expected security profile per station, its proof, and nothing told to anybody else [E-20]."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from loadmgr.domain.access import Credentials, SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.ocpp.access.identity import Directory, fits_2x, identity_of, is_identity
from loadmgr.ocpp.access.passwords import Basic, Comparer, Hashes, Role, Secret, Worker, canonical, decoy
from loadmgr.ocpp.access.profiles import Claim, Names, also_good, expected, lacks
from loadmgr.ocpp.access.throttle import Throttle
from loadmgr.ocpp.access.verdict import Reason, Verdict
from loadmgr.ocpp.transport.contract import Knock
from loadmgr.ocpp.versions import VERSIONS
from loadmgr.settings import StationAccess, TlsSettings
from loadmgr.sitefile.passwords import SHORTEST

_NOBODY = StationAccess()
_WITH_PASSWORD = frozenset({SecurityProfile.BASIC, SecurityProfile.TLS_BASIC})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A knock and whom it is about. ``subject``: the station, or the one that an unknown identity resembles."""

    knock: Knock
    identity: str
    now_s: float
    station: StationId | None
    subject: StationId | None
    access: StationAccess
    credentials: Credentials | None
    is_2x: bool
    is_formed: bool
    basic: Basic | None
    said: bytes

    @property
    def place(self) -> tuple[str, str]:
        return self.identity, self.knock.address


@dataclass(slots=True, kw_only=True)
class Gatekeeper:
    """Judges knocks. What was agreed with stations over OCPP (``credentials``) stands above the site file.

    ``on_proven``: a station has come with what it was offered; the new credentials are to be stored [E-14].
    ``may_hold``: is there a place in the waiting room for one more link of this address? ``None``: nobody is held.
    An unknown identity and a wrong password, user or profile cost the same work and get the same answer [G01].
    """

    access: Mapping[StationId, StationAccess]
    directory: Directory
    prefix: str
    """The path before the identity."""
    on_proven: Callable[[StationId, Credentials], None]
    tls: TlsSettings | None = None
    may_hold: Callable[[str], bool] | None = None
    throttle: Throttle = field(default_factory=Throttle)
    worker: Worker = field(default_factory=Worker)
    failures: int = 0
    """Knocks that were looked at and refused; those in a delay are not looked at."""
    reasons: Counter[Reason] = field(default_factory=Counter)
    _credentials: dict[StationId, Credentials] = field(default_factory=dict)
    _comparer: Comparer = field(default_factory=Comparer)
    _n_hashes: Counter[int] = field(default_factory=Counter)
    """Number of slow hashes of a station → how many stations have so many"""
    _decoy: str | None = None
    _pending: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._n_hashes = Counter(len(self._hashes_of(station)) for station in self.access)
        self._decoy = decoy(hashed for station in self.access for hashed in self._hashes_of(station))

    def remember(self, credentials: Mapping[StationId, Credentials]) -> None:
        """What was agreed before the start."""
        for station, agreed in credentials.items():
            self.settle(station, agreed)

    def settle(self, station: StationId, credentials: Credentials | None) -> None:
        """Something was offered to a station, or an offer is withdrawn; ``None``: the site file alone counts again."""
        before = self._hashes_of(station)
        if credentials is None:
            self._credentials.pop(station, None)
        else:
            self._credentials[station] = credentials
        after = self._hashes_of(station)
        self._n_hashes[len(before)] -= 1
        self._n_hashes[len(after)] += 1
        for hashed in before - after:
            self._comparer.forget(hashed)
        if self._decoy is None:
            self._decoy = decoy(after)

    def credentials(self, station: StationId) -> Credentials | None:
        """What stands above the site file for a station."""
        return self._credentials.get(station)

    def profile(self, station: StationId) -> SecurityProfile:
        """The security profile that a station has to come with."""
        return expected(self.access.get(station, _NOBODY), self._credentials.get(station))

    @property
    def is_slow(self) -> bool:
        """Has any station a slow hash, so that a verdict may have to be waited for?"""
        return self._decoy is not None

    def close(self) -> None:
        """Nobody is judged any more; what is under way is told to come later."""
        self.worker.close()

    # -- judging ---------------------------------------------------------------------------------------------------

    def judge(self, knock: Knock, now_s: float) -> Verdict | Awaitable[Verdict]:
        """May whoever knocks come in? At once, or after a slow hash; whoever does not wait for it is judged as well."""
        identity = identity_of(knock.path, self.prefix)
        if identity is None:
            self.reasons[Reason.PATH] += 1
            return Verdict(reason=Reason.PATH)
        case = self._case(identity, knock, now_s)
        profile = self._without_password(case)
        if profile is not None:
            return self._admit(case, profile, None)
        if self.throttle.is_delayed(*case.place, now_s):
            return self._put_off(case, Reason.DELAYED)
        if self.may_hold is not None and case.station is None and case.is_formed and self.may_hold(knock.address):
            return Verdict(identity=identity, hold=True, resembles=case.subject)
        return self._by_password(case)

    def _case(self, identity: str, knock: Knock, now_s: float) -> _Case:
        station = self.directory.find(identity)
        subject = station if station is not None else self.directory.like(identity)
        access = self.access.get(subject, _NOBODY) if subject is not None else _NOBODY
        chosen = next((name for name in VERSIONS if name in knock.offered), None)
        is_2x = chosen is not None and VERSIONS[chosen].ocpp != "1.6"
        basic = Basic.of(knock.authorization)
        is_hex = access.hex_password and not is_2x
        return _Case(
            knock=knock,
            identity=identity,
            now_s=now_s,
            station=station,
            subject=subject,
            access=access,
            credentials=self._credentials.get(subject) if subject is not None else None,
            is_2x=is_2x,
            is_formed=(station is not None or is_identity(identity)) and (not is_2x or fits_2x(identity)),
            basic=basic,
            said=canonical(basic.password, is_hex=is_hex) if basic is not None else b"",
        )

    def _without_password(self, case: _Case) -> SecurityProfile | None:
        """The profile of a knock that needs no password; nobody can guess a certificate, so no delay holds it up.

        Who was offered a profile with a password and comes with one may be proving that.
        """
        good = self._good(case)
        if case.station is None or not case.is_formed or (good[0] in _WITH_PASSWORD and case.basic is not None):
            return None
        claim, names = self._claim(case, Reason.NO_PASSWORD), self._names(case)
        return next((p for p in good if p not in _WITH_PASSWORD and lacks(p, claim, names) is None), None)

    def _by_password(self, case: _Case) -> Verdict | Awaitable[Verdict]:
        if case.basic is None:
            return self._conclude(case, None)
        role = self._role_at_once(case)
        if role in {Role.OFFERED, Role.CURRENT}:
            return self._conclude(case, role)
        hashes = self._work(case)
        if not hashes:
            return self._conclude(case, role)
        is_suspect = self.throttle.is_suspect(*case.place, case.now_s)
        if case.place in self._pending or not self.worker.has_room(is_suspect=is_suspect):
            return self._put_off(case, Reason.BUSY)
        return self._slowly(case, hashes, role)

    def _slowly(self, case: _Case, hashes: tuple[str, ...], role: Role | None) -> Awaitable[Verdict]:
        """The verdict falls when the hashes are computed, also when nobody waits for it: a failure must count."""
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._pending.add(case.place)

        def done(job: asyncio.Future[Hashes]) -> None:
            self._pending.discard(case.place)
            verdict = self._after(case, job, role)
            if not answer.done():
                answer.set_result(verdict)

        self.worker.fitting(hashes, case.said).add_done_callback(done)
        return answer

    def _after(self, case: _Case, job: asyncio.Future[Hashes], role: Role | None) -> Verdict:
        if job.cancelled() or job.exception() is not None:
            return self._put_off(case, Reason.BUSY)
        if case.subject is not None and self._credentials.get(case.subject) is not case.credentials:
            return self._put_off(case, Reason.CHANGED)
        for secret in self._secrets(case.access, case.credentials):
            if secret.hashed is not None and secret.hashed in job.result():
                self._comparer.verified(secret.hashed, case.said)
                return self._conclude(case, secret.role)
        return self._conclude(case, role)

    # -- verdicts --------------------------------------------------------------------------------------------------

    def _conclude(self, case: _Case, role: Role | None) -> Verdict:
        claim, names = self._claim(case, self._password_fault(case, role)), self._names(case)
        found = {profile: lacks(profile, claim, names) for profile in self._good(case)}
        if case.station is None:
            resembles = case.subject if None in found.values() else None
            plain = Reason.RESEMBLES if resembles is not None else Reason.UNKNOWN
            return self._refuse(case, plain if case.is_formed else Reason.IDENTITY, resembles=resembles)
        if not case.is_formed:
            return self._refuse(case, Reason.IDENTITY, has_proof=role is not None)
        for profile, lacking in found.items():
            if lacking is None:
                return self._admit(case, profile, role)
        reason = next((r for r in found.values() if r not in {None, Reason.WRONG_PROFILE}), None) or Reason.WRONG_PROFILE
        raised = case.credentials.profile if case.credentials is not None else None
        if reason is Reason.WRONG_PROFILE and raised is not None and _presented(case) < raised:
            reason = Reason.DOWNGRADE
        is_certified = reason in {Reason.CERTIFICATE_NAME, Reason.CERTIFICATE_ORGANIZATION}
        return self._refuse(case, reason, has_proof=role is not None or is_certified)

    def _password_fault(self, case: _Case, role: Role | None) -> Reason | None:
        if case.basic is None:
            return Reason.NO_PASSWORD
        if role is None:
            return Reason.WRONG_PASSWORD
        if role is Role.REPLACED:
            return Reason.REPLACED
        if not case.basic.names(case.station or case.identity, case.identity):
            return Reason.WRONG_USER
        return Reason.WEAK_PASSWORD if len(case.basic.password) < SHORTEST else None

    def _admit(self, case: _Case, profile: SecurityProfile, role: Role | None) -> Verdict:
        assert case.station is not None  # only stations are admitted  # noqa: S101
        if profile is not SecurityProfile.NONE:
            self.throttle.succeeded(*case.place, case.now_s)
        agreed = case.credentials
        if agreed is not None:
            proven = agreed
            if role is Role.OFFERED and profile in _WITH_PASSWORD:
                proven = replace(proven, password_hash=agreed.offered_hash, offered_hash=None)
            if agreed.offered_profile is profile:
                proven = replace(proven, profile=profile, offered_profile=None)
            if proven != agreed:
                self.settle(case.station, proven)
                self.on_proven(case.station, proven)
        return Verdict(identity=case.identity, station=case.station, profile=profile)

    def _refuse(
        self, case: _Case, reason: Reason, *, resembles: StationId | None = None, has_proof: bool = False
    ) -> Verdict:
        self.failures += 1
        self.reasons[reason] += 1
        is_guessed = self.throttle.failed(*case.place, case.now_s) and case.station is not None
        return Verdict(
            identity=case.identity,
            station=case.station,
            resembles=resembles,
            reason=reason,
            critical=has_proof or is_guessed,
        )

    def _put_off(self, case: _Case, reason: Reason) -> Verdict:
        """Refused without having been looked at."""
        self.reasons[reason] += 1
        return Verdict(identity=case.identity, station=case.station, reason=reason)

    # -- what counts -----------------------------------------------------------------------------------------------

    def _good(self, case: _Case) -> tuple[SecurityProfile, ...]:
        """The profiles that the station may come with, the offered one first."""
        now = expected(case.access, case.credentials)
        offered = also_good(case.access, case.credentials, is_2x=case.is_2x)
        return (now,) if offered is None else (offered, now)

    def _names(self, case: _Case) -> Names:
        common_name = case.access.certificate_name or case.subject or ""
        organization = self.tls.organization if self.tls is not None else None
        return Names(common_name=common_name, organization=organization)

    @staticmethod
    def _claim(case: _Case, fault: Reason | None) -> Claim:
        knock = case.knock
        return Claim(is_tls=knock.is_tls, certificate=knock.certificate, is_2x=case.is_2x, password_fault=fault)

    def _role_at_once(self, case: _Case) -> Role | None:
        is_hex = case.access.hex_password and not case.is_2x
        matching = [
            secret.role
            for secret in self._secrets(case.access, case.credentials)
            if self._comparer.matches(secret, case.said, is_hex=is_hex)
        ]
        return min(matching, key=lambda role: role.value, default=None)

    def _work(self, case: _Case) -> tuple[str, ...]:
        """The slow hashes to compute: as many for everybody, decoys where there are no real ones."""
        real = tuple(s.hashed for s in self._secrets(case.access, case.credentials) if s.hashed is not None)
        n = max((n for n, stations in self._n_hashes.items() if stations > 0), default=0)
        decoys = (self._decoy,) * (n - len(real)) if self._decoy is not None else ()
        return real + decoys

    def _hashes_of(self, station: StationId) -> frozenset[str]:
        access = self.access.get(station, _NOBODY)
        secrets = self._secrets(access, self._credentials.get(station))
        return frozenset(secret.hashed for secret in secrets if secret.hashed is not None)

    @staticmethod
    def _secrets(access: StationAccess, credentials: Credentials | None) -> Iterator[Secret]:
        """What a station may come with, and what it may come with no more."""
        if credentials is not None and credentials.offered_hash is not None:
            yield Secret(role=Role.OFFERED, hashed=credentials.offered_hash)
        if credentials is not None and credentials.password_hash is not None:
            yield Secret(role=Role.CURRENT, hashed=credentials.password_hash)
            if access.password is not None:
                yield Secret(role=Role.REPLACED, password=access.password)
        elif access.password is not None:
            yield Secret(role=Role.CURRENT, password=access.password)
        elif access.password_hash is not None:
            yield Secret(role=Role.CURRENT, hashed=access.password_hash)


def _presented(case: _Case) -> SecurityProfile:
    """The profile that a knock looks like."""
    if case.knock.is_tls:
        return SecurityProfile.TLS_CLIENT if case.knock.certificate is not None else SecurityProfile.TLS_BASIC
    return SecurityProfile.BASIC if case.basic is not None else SecurityProfile.NONE
