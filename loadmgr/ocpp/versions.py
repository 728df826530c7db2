"""The versions that this gateway speaks, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from loadmgr.domain.commands import Command
from loadmgr.domain.params import ControlParams
from loadmgr.domain.security import CertificateUse, InstalledCertificate
from loadmgr.domain.traits import Traits
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.translation import Desk, Handled
from loadmgr.ocpp.v16 import commands as commands_16
from loadmgr.ocpp.v16 import events as events_16
from loadmgr.ocpp.v16 import security as security_16
from loadmgr.ocpp.v16 import setup as setup_16
from loadmgr.ocpp.v21 import commands as commands_21
from loadmgr.ocpp.v21 import events as events_21
from loadmgr.ocpp.v21 import security as security_21
from loadmgr.ocpp.v21 import setup as setup_21
from loadmgr.ocpp.v201 import commands as commands_201
from loadmgr.ocpp.v201 import events as events_201
from loadmgr.ocpp.v201 import security as security_201
from loadmgr.ocpp.v201 import setup as setup_201

Calls = tuple[tuple[str, Json], ...]
Setup = tuple[tuple[str, tuple[str, ...]], ...]
Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version's translation. ``needs_boot``: a CALL before an accepted boot is a security error [D-23]."""

    ocpp: str
    subprotocol: str
    needs_boot: bool
    handle: Callable[[Desk, str, Json, datetime], Handled]
    to_calls: Callable[[Command, Traits], Calls]
    outcome: Callable[[str, Json], tuple[bool, str]]
    values: Callable[[str, Json], Values]
    settings: Callable[[ControlParams, Traits], Setup]
    capabilities: tuple[str, ...]
    installed: Callable[[Json, CertificateUse | None], tuple[InstalledCertificate, ...]]
    chain_max: str
    """The setting that bounds a certificate chain, in characters."""


VERSIONS: Mapping[str, Version] = MappingProxyType(
    {
        "ocpp2.1": Version(
            ocpp="2.1",
            subprotocol="ocpp2.1",
            needs_boot=True,
            handle=events_21.handle,
            to_calls=commands_21.to_calls,
            outcome=commands_21.outcome,
            values=commands_21.values,
            settings=setup_21.settings,
            capabilities=setup_21.CAPABILITIES,
            installed=security_21.installed,
            chain_max=security_21.CHAIN_MAX,
        ),
        "ocpp2.0.1": Version(
            ocpp="2.0.1",
            subprotocol="ocpp2.0.1",
            needs_boot=True,
            handle=events_201.handle,
            to_calls=commands_201.to_calls,
            outcome=commands_201.outcome,
            values=commands_201.values,
            settings=setup_201.settings,
            capabilities=setup_201.CAPABILITIES,
            installed=security_201.installed,
            chain_max=security_201.CHAIN_MAX,
        ),
        "ocpp1.6": Version(
            ocpp="1.6",
            subprotocol="ocpp1.6",
            needs_boot=False,
            handle=events_16.handle,
            to_calls=commands_16.to_calls,
            outcome=commands_16.outcome,
            values=commands_16.values,
            settings=setup_16.settings,
            capabilities=setup_16.CAPABILITIES,
            installed=security_16.installed,
            chain_max=security_16.CHAIN_MAX,
        ),
    }
)
"""By subprotocol, the preferred one first."""

ASSUMED = "ocpp1.6"
"""What a station without a subprotocol header speaks, if its site file entry says that it may [G-40]."""


TRANSLATIONS: Mapping[str, Callable[[Command, Traits], Calls]] = MappingProxyType(
    {v.ocpp: v.to_calls for v in VERSIONS.values()}
)
"""By version number: command → calls."""
