"""Typed settings: the site file plus a few environment variables → domain objects."""

from __future__ import annotations

import copy
import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from loadmgr.certificates import CaSettings, CertificateError, LocalAuthority, SecuritySettings
from loadmgr.control.state import SiteContext
from loadmgr.domain.access import SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.errors import Problem, SettingsError
from loadmgr.sitefile import access, aliases, certificates
from loadmgr.sitefile.build import Builder, did_you_mean
from loadmgr.sitefile.models import SiteFile, StationKeys, StationTraits

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Environment(BaseSettings):
    """``LOADMGR_STORAGE_URL``, ``_API_KEY``, ``_API_LISTEN``, ``_OCPP_LISTEN``, ``_OCPP_TLS_LISTEN`` win over the file."""

    model_config = SettingsConfigDict(env_prefix="LOADMGR_", extra="ignore")

    storage_url: str | None = None
    api_key: str | None = None
    api_listen: str | None = None
    ocpp_listen: str | None = None
    ocpp_tls_listen: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server listens; port 0 takes any free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StationAccess:
    """How a station proves who it is; ``aliases`` are further identities that mean it [G-55].

    ``profile`` is the only one it may connect with [E-13]. ``certificate_name``: CN of its certificate, ``None``: its id.
    """

    profile: SecurityProfile = SecurityProfile.BASIC
    password: str | None = None
    password_hash: str | None = None
    hex_password: bool = False
    """Over 1.6 the text of a hex key and its raw bytes are both good [E-10]."""
    certificate_name: str | None = None
    allow_downgrade: bool = False
    """May a 2.x station go back from profile 3 to 2 [E-13]?"""
    assume_ocpp16: bool = False
    traits: StationTraits = StationTraits()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The TLS listener: PEM files. ``client_ca`` signs the stations' certificates (security profile 3); ``crl`` revokes."""

    listen: Address
    certificate: Path
    key: Path
    client_ca: Path | None = None
    crl: Path | None = None
    organization: str | None = None
    """What ``O`` of a station's certificate must be [E-12]; ``None``: anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """What one link, one address and all of them may take of this process."""

    frame_bytes: int = 65_536
    """Of one message, after decompression [B04, B05]."""
    links: int = 20_000
    links_per_address: int = 5_000
    """Stations of a site often share the address of its router."""
    messages_per_s: float = 20.0
    """Sustained, of one link; what comes faster waits in the station [B28]."""
    messages_at_once: int = 30
    overtime_per_s: float = 300.0
    """Messages of all links together that are over their own rate; one alone never notices."""
    send_bytes: int = 1_048_576
    """Waiting for a station that does not read; more ends the link [A13]."""
    handshake_s: float = 10.0
    close_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OcppSettings:
    """The gateway. Without ``listen`` and ``tls`` a host program owns the sockets; ``accept`` ``None`` = every id tag."""

    listen: Address | None
    path: str
    heartbeat_s: int
    ping_s: float | None
    accept: frozenset[str] | None
    stations: Mapping[StationId, StationAccess]
    tls: TlsSettings | None = None
    limits: LinkLimits = LinkLimits()
    waiting_room: Literal["list", "hold"] = "list"
    """What becomes of unknown identities: refused and listed, or held without any right."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Whose word about a client's address and TLS counts [A16]."""
    is_deflating: bool = True
    security: SecuritySettings = SecuritySettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Where the API listens and the keys; ``key`` ``None``: one is made at start and printed."""

    listen: Address
    key: str | None
    viewer_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a service needs to know before it starts. ``digest`` identifies the content of the site file."""

    path: Path
    name: str
    context: SiteContext
    ocpp: OcppSettings
    storage_url: str
    api: ApiSettings
    digest: str

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read and check a site file. Raises ``SettingsError`` that names every mistake with key, value and remedy."""
        path = Path(path)
        raw = _read_toml(path)
        file, problems = _checked(raw, str(path))
        environment = Environment()
        builder = Builder(file, path.parent)
        context = builder.context()
        problems += [p for p in builder.problems if p not in problems]
        problems += aliases.problems(file)
        api_listen = _address("api.listen", environment.api_listen or file.api.listen, problems)
        ocpp_text = environment.ocpp_listen or file.ocpp.listen
        ocpp_listen = _address("ocpp.listen", ocpp_text, problems) if ocpp_text is not None else None
        tls = _tls(file, path.parent, environment.ocpp_tls_listen, problems)
        security = _security(file, path.parent, problems)
        problems += access.problems(file, has_plain=ocpp_text is not None, has_tls=file.ocpp.tls is not None)
        problems += _exposure(file, api_listen, ocpp_listen, tls.listen if tls is not None else None)
        if problems or context is None or api_listen is None:
            raise SettingsError(str(path), tuple(problems))
        return cls(
            path=path,
            name=file.site.name or file.site.id,
            context=context,
            ocpp=replace(_ocpp(file, ocpp_listen, tls), security=security),
            storage_url=environment.storage_url or file.storage.url,
            api=ApiSettings(listen=api_listen, key=environment.api_key or file.api.key, viewer_key=file.api.viewer_key),
            digest=hashlib.sha256(json.dumps(raw, sort_keys=True, default=str).encode()).hexdigest()[:16],
        )


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = Problem(key="file", problem=error.strerror or str(error), hint="give the path of a site file")
        raise SettingsError(str(path), (problem,)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = Problem(key="file", problem=f"is not valid TOML: {error}", hint="see https://toml.io")
        raise SettingsError(str(path), (problem,)) from None


def _checked(raw: dict[str, object], path: str) -> tuple[SiteFile, list[Problem]]:
    """The file as models. Wrong values are noted and left out, so that the rest can be checked in the same go."""
    problems: list[Problem] = []
    kept = copy.deepcopy(raw)
    for _ in range(3):
        try:
            return SiteFile.model_validate(kept), problems
        except ValidationError as error:
            problems += [p for p in _problems(error) if p not in problems]
            for item in error.errors(include_url=False):
                _leave_out(kept, item["loc"])
    raise SettingsError(path, tuple(problems))


def _leave_out(tree: object, location: tuple[int | str, ...]) -> None:
    for part in location:
        if isinstance(tree, dict) and part in tree:
            if part == location[-1] or not isinstance(tree[part], dict | list):
                del tree[part]
                return
            tree = tree[part]
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]


def _problems(error: ValidationError) -> Iterator[Problem]:
    for item in error.errors(include_url=False):
        location = item["loc"]
        key = ".".join(str(part) for part in location if part not in {"tuple[float,float,float]"})
        if item["type"] == "extra_forbidden":
            hint = did_you_mean(str(location[-1]), _known_keys(location[:-1]))
            yield Problem(key=key, problem="unknown key", hint=hint)
        elif item["type"] == "missing":
            yield Problem(key=key, problem="is missing")
        else:
            message = item["msg"].removeprefix("Value error, ")
            value = repr(item["input"])
            yield Problem(key=key, problem=f"{value[:80]}: {message}")


def _known_keys(location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys that a table at this place may have."""
    model: type[BaseModel] = SiteFile
    for part in location:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        inner = _inner_model(model.model_fields[str(part)].annotation)
        if inner is None:
            return ()
        model = inner
    return tuple(f.alias or name for name, f in model.model_fields.items())


def _inner_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _inner_model(part)
        if found is not None:
            return found
    return None


def _address(key: str, text: str, problems: list[Problem]) -> Address | None:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        problems.append(Problem(key=key, problem=f"{text!r} is no address", hint='write "host:port"'))
        return None
    return Address(host=host.strip("[]"), port=int(port))


def _exposure(file: SiteFile, api: Address | None, ocpp: Address | None, tls: Address | None) -> Iterator[Problem]:
    """Beyond loopback nothing starts by accident: no TLS and missing keys must be said out loud [G02]."""
    if api is not None and api.host not in LOOPBACK and not file.api.insecure:
        yield Problem(
            key="api.listen",
            problem=f"{api.host} is reachable from outside and this service speaks plain HTTP",
            hint="put a TLS proxy in front and listen on 127.0.0.1, or set api.insecure = true",
        )
    if ocpp is not None and ocpp.host not in LOOPBACK and not file.ocpp.insecure:
        yield Problem(
            key="ocpp.listen",
            problem=f"{ocpp.host} is reachable from outside and security profile 1 sends passwords in the clear",
            hint="use [ocpp.tls] instead, or say that the network is trusted with ocpp.insecure = true",
        )
    if ocpp is not None and tls is not None and ocpp == tls and ocpp.port != 0:
        hint = "with and without TLS need a port each"
        yield Problem(key="ocpp.tls.listen", problem=f"{ocpp.host}:{ocpp.port} is ocpp.listen as well", hint=hint)
    for name in ("key", "viewer_key"):
        value = getattr(file.api, name)
        if value is not None and len(value) < 16:
            yield Problem(key=f"api.{name}", problem=f"has {len(value)} characters", hint="use at least 16 random ones")


def _tls(file: SiteFile, folder: Path, listen: str | None, problems: list[Problem]) -> TlsSettings | None:
    """The TLS listener after a look into its files; ``listen`` is that of the environment."""
    table = file.ocpp.tls
    if table is None:
        if listen is not None:
            hint = "add [ocpp.tls] with certificate and key"
            problems.append(Problem(key="ocpp.tls", problem="is missing, and LOADMGR_OCPP_TLS_LISTEN is set", hint=hint))
        return None
    problems += certificates.problems(table, folder, datetime.now(UTC))
    address = _address("ocpp.tls.listen", listen or table.listen, problems)
    if address is None:
        return None
    return TlsSettings(
        listen=address,
        certificate=folder / table.certificate,
        key=folder / table.key,
        client_ca=folder / table.client_ca if table.client_ca is not None else None,
        crl=folder / table.crl if table.crl is not None else None,
        organization=table.organization,
    )


def _security(file: SiteFile, folder: Path, problems: list[Problem]) -> SecuritySettings:
    """What is done over OCPP about stations' security; the authority's files are looked into."""
    table = file.ocpp.security
    ca: CaSettings | None = None
    if table.ca is not None:
        ca = CaSettings(
            certificate=folder / table.ca.certificate,
            key=folder / table.ca.key,
            validity_days=table.ca.validity_days,
            organization=table.ca.organization,
            v2g=table.ca.v2g,
        )
        try:
            LocalAuthority(ca, datetime.now(UTC))
        except CertificateError as error:
            problems.append(Problem(key="ocpp.security.ca", problem=str(error)))
    return SecuritySettings(uploads=table.uploads, url=table.url, ca=ca)


def _stations(file: SiteFile) -> dict[StationId, StationAccess]:
    found: dict[StationId, StationAccess] = {}
    also, names = aliases.aliases_of(file), access.certificate_names(file)
    tables: list[tuple[str, StationKeys]] = list(file.stations.items())
    tables += [(name, group) for group in file.station_groups for name in group.ids]
    for name, table in tables:
        found[StationId(name)] = StationAccess(
            profile=access.profile_of(table, has_tls=file.ocpp.tls is not None),
            password=table.password,
            password_hash=table.password_hash,
            hex_password=table.hex_password,
            certificate_name=names.get(name),
            allow_downgrade=table.allow_downgrade,
            assume_ocpp16=table.assume_ocpp16,
            traits=table.traits,
            aliases=also.get(name, ()),
        )
    return found


def _limits(file: SiteFile) -> LinkLimits:
    table = file.ocpp
    return LinkLimits(
        frame_bytes=table.max_frame_bytes,
        links=table.links,
        links_per_address=table.links_per_address,
        messages_per_s=table.messages_per_s,
        messages_at_once=table.messages_at_once,
        overtime_per_s=table.overtime_per_s,
        send_bytes=table.send_bytes,
        handshake_s=table.handshake_s,
        close_s=table.close_s,
    )


def _ocpp(file: SiteFile, listen: Address | None, tls: TlsSettings | None) -> OcppSettings:
    accept = file.ocpp.accept
    return OcppSettings(
        listen=listen,
        path=file.ocpp.path.rstrip("/"),
        heartbeat_s=file.ocpp.heartbeat_s,
        ping_s=file.ocpp.ping_s,
        accept=None if isinstance(accept, str) else frozenset(accept),
        stations=_stations(file),
        tls=tls,
        limits=_limits(file),
        waiting_room=file.ocpp.waiting_room,
        trusted_proxies=file.ocpp.trusted_proxies,
        is_deflating=file.ocpp.deflate,
    )
