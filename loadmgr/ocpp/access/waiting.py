"""Unknown identities that knock: a bounded list, and how to admit one of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from loadmgr.domain.access import SecurityProfile
from loadmgr.ocpp.access.throttle import network_of
from loadmgr.ocpp.transport.contract import Knock
from loadmgr.sitefile.passwords import LONGEST, SHORTEST

LISTED = 100
HELD = 32
"""Links without rights, in all."""
HELD_PER_ADDRESS = 8
_TEXT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An unknown identity; ``had_password``: it sent one, which nobody has kept. ``vendor`` and so on: its own words."""

    identity: str
    address: str
    first_at: datetime
    last_at: datetime
    tries: int = 1
    offered: tuple[str, ...] = ()
    is_tls: bool = False
    had_password: bool = False
    certificate_name: str = ""
    certificate_organization: str = ""
    resembles: str = ""
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    is_held: bool = False

    @property
    def profile(self) -> SecurityProfile:
        """The security profile that it seems to use; at least 1, because nobody is admitted unasked without a proof."""
        if self.is_tls:
            return SecurityProfile.TLS_CLIENT if self.certificate_name else SecurityProfile.TLS_BASIC
        return SecurityProfile.BASIC

    def snippet(self) -> str:
        """What to add to the site file to admit it, as TOML."""
        name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in self.identity)[:48].lstrip("._-")
        lines = [f"[stations.{_text(name or 'new')}]", 'node = ""  # the node that it is connected to']
        if name != self.identity:
            lines.append(f"aliases = [{_text(self.identity)}]")
        lines.append(f"security_profile = {int(self.profile)}")
        if self.profile is SecurityProfile.TLS_CLIENT:
            if self.certificate_name != name:
                lines.append(f"certificate_name = {_text(self.certificate_name)}")
        else:
            lines.append(f'password = ""  # {SHORTEST} to {LONGEST} random characters, the same as in the station')
        return "\n".join(lines) + "\n"


@dataclass(slots=True)
class WaitingRoom:
    """At most ``LISTED`` identities, and of them a few whose links are held.

    When the list is full, the oldest entry of the address with most of them makes room: who floods it pushes out his own.
    """

    _entries: dict[str, Entry] = field(default_factory=dict)
    _held: Counter[str] = field(default_factory=Counter)
    """Held links by address"""
    _links: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Held links by identity and address"""

    def knocked(self, identity: str, knock: Knock, now: datetime, resembles: str = "") -> None:
        """Somebody unknown knocked."""
        known = self._entries.pop(identity, None)
        if known is None and len(self._entries) >= LISTED:
            self._make_room()
        certificate = knock.certificate
        entry = Entry(
            identity=identity,
            address=knock.address,
            first_at=now,
            last_at=now,
            offered=tuple(clean(name) for name in knock.offered[:8]),
            is_tls=knock.is_tls,
            had_password=knock.authorization is not None,
            certificate_name=clean(certificate.common_name) if certificate is not None else "",
            certificate_organization=clean(certificate.organization) if certificate is not None else "",
            resembles=resembles,
        )
        if known is not None:
            entry = replace(
                entry,
                first_at=known.first_at,
                tries=known.tries + 1,
                vendor=known.vendor,
                model=known.model,
                serial=known.serial,
                firmware=known.firmware,
                is_held=known.is_held,
            )
        self._entries[identity] = entry

    def has_place(self, address: str) -> bool:
        """May one more link of this address be held?"""
        return self._held.total() < HELD and self._held[network_of(address)] < HELD_PER_ADDRESS

    def entered(self, identity: str, address: str) -> bool:
        """A link begins to be held; ``False``: there is no place any more, and it must be closed. Else ``left`` follows."""
        if not self.has_place(address):
            return False
        self._held[network_of(address)] += 1
        self._links[identity, address] += 1
        self._mark(identity)
        return True

    def told(self, identity: str, boot: Mapping[str, object]) -> None:
        """A held link has sent its BootNotification, of 1.6 or 2.x."""
        entry = self._entries.get(identity)
        if entry is None:
            return
        inner = boot.get("chargingStation")
        said: Mapping[str, object] = inner if isinstance(inner, Mapping) else boot
        self._entries[identity] = replace(
            entry,
            vendor=_first(said, "vendorName", "chargePointVendor"),
            model=_first(said, "model", "chargePointModel"),
            serial=_first(said, "serialNumber", "chargePointSerialNumber", "chargeBoxSerialNumber"),
            firmware=_first(said, "firmwareVersion"),
        )

    def left(self, identity: str, address: str) -> None:
        """A held link has ended; of one that did not enter nothing happens."""
        link, network = (identity, address), network_of(address)
        if not self._links[link]:
            return
        self._links -= Counter([link])  # what reaches zero goes
        self._held -= Counter([network])
        self._mark(identity)

    def admitted(self, identity: str) -> None:
        """It is no longer unknown."""
        self._entries.pop(identity, None)

    def entries(self) -> tuple[Entry, ...]:
        """Who knocked, the latest first."""
        return tuple(reversed(self._entries.values()))

    @property
    def n_held(self) -> int:
        """Links that are held."""
        return self._held.total()

    def _mark(self, identity: str) -> None:
        entry = self._entries.get(identity)
        if entry is not None:
            is_held = any(name == identity for name, _ in self._links)
            self._entries[identity] = replace(entry, is_held=is_held)

    def _make_room(self) -> None:
        crowd = Counter(network_of(entry.address) for entry in self._entries.values())
        busiest = max(crowd.values())
        oldest = next(name for name, entry in self._entries.items() if crowd[network_of(entry.address)] == busiest)
        del self._entries[oldest]


def clean(text: str) -> str:
    """Somebody's text, shortened, without what does not print."""
    return "".join(c for c in text[:_TEXT] if c.isprintable())


def _first(said: Mapping[str, object], *keys: str) -> str:
    found = (said.get(key) for key in keys)
    return next((clean(value) for value in found if isinstance(value, str) and value), "")


def _text(value: str) -> str:
    """As a TOML string."""
    return json.dumps(clean(value), ensure_ascii=False)
