"""Typed settings: the site file plus a few environment variables → domain objects."""

from __future__ import annotations

import copy
import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from loadmgr.control.state import SiteContext
from loadmgr.domain.ids import StationId
from loadmgr.errors import Problem, SettingsError
from loadmgr.sitefile import aliases
from loadmgr.sitefile.build import Builder, did_you_mean
from loadmgr.sitefile.models import SiteFile, StationKeys, StationTraits

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Environment(BaseSettings):
    """``LOADMGR_STORAGE_URL``, ``LOADMGR_API_KEY``, ``LOADMGR_API_LISTEN``, ``LOADMGR_OCPP_LISTEN`` win over the file."""

    model_config = SettingsConfigDict(env_prefix="LOADMGR_", extra="ignore")

    storage_url: str | None = None
    api_key: str | None = None
    api_listen: str | None = None
    ocpp_listen: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server listens; port 0 takes any free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StationAccess:
    """How a station proves who it is; ``aliases`` are further identities that mean it [G-55]."""

    password: str | None = None
    password_hash: str | None = None
    auth: str = "basic"
    assume_ocpp16: bool = False
    traits: StationTraits = StationTraits()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OcppSettings:
    """The gateway. ``listen`` is ``None`` when a host program owns the sockets; ``accept`` ``None`` = every id tag."""

    listen: Address | None
    path: str
    heartbeat_s: int
    ping_s: float | None
    accept: frozenset[str] | None
    max_frame_bytes: int
    stations: Mapping[StationId, StationAccess]


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
        problems += _exposure(file, api_listen, ocpp_listen)
        if problems or context is None or api_listen is None:
            raise SettingsError(str(path), tuple(problems))
        return cls(
            path=path,
            name=file.site.name or file.site.id,
            context=context,
            ocpp=_ocpp(file, ocpp_listen),
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


def _exposure(file: SiteFile, api: Address | None, ocpp: Address | None) -> Iterator[Problem]:
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
            hint="use it in a trusted network only and say so with ocpp.insecure = true, or put a TLS proxy in front",
        )
    for name in ("key", "viewer_key"):
        value = getattr(file.api, name)
        if value is not None and len(value) < 16:
            yield Problem(key=f"api.{name}", problem=f"has {len(value)} characters", hint="use at least 16 random ones")


def _ocpp(file: SiteFile, listen: Address | None) -> OcppSettings:
    access: dict[StationId, StationAccess] = {}
    also = aliases.aliases_of(file)
    tables: list[tuple[str, StationKeys]] = list(file.stations.items())
    tables += [(name, group) for group in file.station_groups for name in group.ids]
    for name, table in tables:
        access[StationId(name)] = StationAccess(
            password=table.password,
            password_hash=table.password_hash,
            auth=table.auth,
            assume_ocpp16=table.assume_ocpp16,
            traits=table.traits,
            aliases=also.get(name, ()),
        )
    accept = file.ocpp.accept
    return OcppSettings(
        listen=listen,
        path=file.ocpp.path.rstrip("/"),
        heartbeat_s=file.ocpp.heartbeat_s,
        ping_s=file.ocpp.ping_s,
        accept=None if isinstance(accept, str) else frozenset(accept),
        max_frame_bytes=file.ocpp.max_frame_bytes,
        stations=access,
    )
