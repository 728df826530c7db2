"""Security profiles and credentials of the stations, checked over the whole file [E-10, E-12, E-13, G04]."""

from __future__ import annotations

from collections.abc import Iterator

from loadmgr.domain.access import SecurityProfile
from loadmgr.errors import Problem
from loadmgr.sitefile.build import did_you_mean
from loadmgr.sitefile.models import SiteFile, StationKeys
from loadmgr.sitefile.passwords import HEX_DIGITS, LONGEST, SHORTEST, has_control, is_hash, is_hex_key


def profile_of(table: StationKeys, *, has_tls: bool) -> SecurityProfile:
    """The one profile that a station may connect with; without a word 2 where there is TLS, else 1 [E-13]."""
    if table.security_profile is not None:
        return SecurityProfile(table.security_profile)
    if table.auth == "none":
        return SecurityProfile.NONE
    return SecurityProfile.TLS_BASIC if has_tls else SecurityProfile.BASIC


def certificate_names(file: SiteFile) -> dict[str, str]:
    """CN of the client certificate of each station where that is not its id [E-12]."""
    found = {name: table.certificate_name for name, table in file.stations.items() if table.certificate_name is not None}
    for group in file.station_groups:
        found.update({name: cn for name, cn in group.certificate_names.items() if name in group.ids})
    return found


def problems(file: SiteFile, *, has_plain: bool, has_tls: bool) -> Iterator[Problem]:
    """What does not fit together. Without a listener a host program decides who comes in: nothing has to be proven."""
    for key, table in _tables(file):
        yield from _contradictions(key, table)
        yield from _password(key, table)
        if has_plain or has_tls:
            profile = profile_of(table, has_tls=has_tls)
            yield from _listener(key, profile, file, (has_plain, has_tls))
            yield from _missing_password(key, table, profile)
    yield from _names(file)


def _tables(file: SiteFile) -> Iterator[tuple[str, StationKeys]]:
    for name, table in file.stations.items():
        yield f"stations.{name}", table
    for place, group in enumerate(file.station_groups):
        yield f"station_groups[{place}]", group


def _contradictions(key: str, table: StationKeys) -> Iterator[Problem]:
    profile = table.security_profile
    is_none = table.auth == "none"
    if is_none and profile not in {None, 0}:
        hint = 'leave auth out; it is security_profile = 0 when it is "none"'
        yield Problem(key=f"{key}.auth", problem=f'"none" contradicts security_profile = {profile}', hint=hint)
    if table.auth == "basic" and profile in {0, 3}:
        hint = "leave auth out; profiles 1 and 2 have a password, 0 has nothing, 3 has a client certificate"
        yield Problem(key=f"{key}.auth", problem=f'"basic" contradicts security_profile = {profile}', hint=hint)
    if (is_none or profile == 0) and (table.password is not None or table.password_hash is not None):
        said = "security_profile = 0" if profile == 0 else 'auth = "none"'
        hint = f"leave the password out, or {said}"
        yield Problem(key=f"{key}.password", problem=f"is given, and {said} asks for none", hint=hint)
    if table.password is not None and table.password_hash is not None:
        hint = "keep one of them"
        yield Problem(key=f"{key}.password_hash", problem="stands beside password, and they may differ", hint=hint)


def _listener(key: str, profile: SecurityProfile, file: SiteFile, has: tuple[bool, bool]) -> Iterator[Problem]:
    has_plain, has_tls = has
    key = f"{key}.security_profile"
    if profile <= SecurityProfile.BASIC and not has_plain:
        hint = "set ocpp.listen for profiles 0 and 1, or security_profile = 2 or 3"
        yield Problem(key=key, problem=f"{profile} is without TLS, and there is only a TLS listener", hint=hint)
    is_proxied = profile is SecurityProfile.TLS_BASIC and bool(file.ocpp.trusted_proxies)
    if profile >= SecurityProfile.TLS_BASIC and not has_tls and not is_proxied:
        hint = "add [ocpp.tls]; profile 2 can end in a proxy of ocpp.trusted_proxies as well"
        yield Problem(key=key, problem=f"{profile} needs TLS, and there is no TLS listener", hint=hint)
    elif profile is SecurityProfile.TLS_CLIENT and file.ocpp.tls is not None and file.ocpp.tls.client_ca is None:
        hint = "set ocpp.tls.client_ca to the roots of the stations' certificates"
        yield Problem(key=key, problem="3 needs client certificates, and nobody is said to sign them", hint=hint)


def _missing_password(key: str, table: StationKeys, profile: SecurityProfile) -> Iterator[Problem]:
    needs_one = profile in {SecurityProfile.BASIC, SecurityProfile.TLS_BASIC}
    if needs_one and table.password is None and table.password_hash is None:
        hint = (
            f"set password ({SHORTEST} to {LONGEST} random characters) or password_hash, security_profile = 3 for a client"
            " certificate, or security_profile = 0 for a trusted cable"
        )
        yield Problem(key=f"{key}.password", problem="there is no password", hint=hint)


def _password(key: str, table: StationKeys) -> Iterator[Problem]:
    """Rules that hold in every version; a site file does not know which one a station will speak [E.2]."""
    password = table.password
    if password is not None and not SHORTEST <= len(password) <= LONGEST:
        hint = f"use {SHORTEST} to {LONGEST} random ones, at most 40 before OCPP 2.1 [G04]"
        yield Problem(key=f"{key}.password", problem=f"has {len(password)} characters", hint=hint)
    elif password is not None and has_control(password):
        hint = "HTTP basic authentication does not allow them"
        yield Problem(key=f"{key}.password", problem="has control characters", hint=hint)
    elif password is not None and table.hex_password and not is_hex_key(password):
        hint = f"write the key as {HEX_DIGITS[0]} to {HEX_DIGITS[1]} hex digits, or leave hex_password out"
        yield Problem(key=f"{key}.hex_password", problem="the password is no hex text of 16 to 20 bytes", hint=hint)
    if table.password_hash is not None and not is_hash(table.password_hash):
        hint = 'use the argon2 text form, which begins with "$argon2id$"'
        yield Problem(key=f"{key}.password_hash", problem="cannot be verified: it is no argon2 hash", hint=hint)


def _names(file: SiteFile) -> Iterator[Problem]:
    """A certificate speaks for one station [E-12, G08]."""
    said = certificate_names(file)
    ids = (*file.stations, *(name for group in file.station_groups for name in group.ids))
    owners: dict[str, str] = {name: name for name in ids if name not in said}
    for name, common_name in said.items():
        if common_name in owners:
            whose = f"the certificate name of station {owners[common_name]!r} already"
            hint = "a certificate speaks for one station; its name is the id where the file says nothing else"
            yield Problem(key=_name_key(file, name), problem=f"{common_name!r} is {whose}", hint=hint)
        owners.setdefault(common_name, name)
    for place, group in enumerate(file.station_groups):
        for name in group.certificate_names:
            if name not in group.ids:
                key = f"station_groups[{place}].certificate_names.{name}"
                yield Problem(key=key, problem=f"station {name!r} is not in this group", hint=did_you_mean(name, group.ids))


def _name_key(file: SiteFile, name: str) -> str:
    if name in file.stations:
        return f"stations.{name}.certificate_name"
    place = next(i for i, group in enumerate(file.station_groups) if name in group.ids)
    return f"station_groups[{place}].certificate_names.{name}"
