"""What a grid request must say before anything is done for it (domain rule B.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from loadmgr.domain.der import DerControl
from loadmgr.domain.grid import GridRequest, GridRequestKind
from loadmgr.errors import SiteModelError

DEFAULT_ONLY = ("EnterService", "Gradients")
"""Control types without a time [B-1]."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,35}")
_AT_EVSE = (GridRequestKind.LOAD, GridRequestKind.GENERATION)


def checked(request: GridRequest, now: datetime) -> GridRequest:
    """The request with its begin filled in where it only has an end. Raises ``SiteModelError`` for contradictions."""
    where = f"grid request {request.id!r} ({request.kind})"
    kind, control = request.kind, request.control
    if not _ID.fullmatch(request.id):
        raise SiteModelError(f"{where}: an id has at most 36 letters, digits, '.', '_', ':' and '-'")
    needless = [name for name, is_set in _needless(request) if is_set]
    if needless:
        raise SiteModelError(f"{where}: {', '.join(needless)} means nothing here; leave it out")
    if request.until_at is not None and request.until_at <= now:
        raise SiteModelError(f"{where}: it ended at {request.until_at:%Y-%m-%dT%H:%M:%SZ}, which is past")
    if kind is GridRequestKind.LOAD and request.from_at is not None and request.from_at > now:
        raise SiteModelError(f"{where}: it takes effect at once; send it when it begins, without from_at")
    if request.until_at is not None and request.from_at is None:
        request = replace(request, from_at=now)  # a control without a begin would never end [B-1]
    if control is not None:
        if control.control_type in DEFAULT_ONLY and request.from_at is not None:
            raise SiteModelError(f"{where}: {control.control_type} has no time [B-1]; leave from_at and until_at out")
        request = replace(request, control=_timed(request, control))
    return request


def _needless(request: GridRequest) -> Iterator[tuple[str, bool]]:
    kind = request.kind
    at_evse = kind in _AT_EVSE
    without_value = kind in {GridRequestKind.CEASE, GridRequestKind.CONTROL}
    control = request.control
    yield "value", without_value and request.value is not None
    yield "control", kind is not GridRequestKind.CONTROL and control is not None
    yield "evse", not at_evse and kind is not GridRequestKind.CONTROL and request.evse is not None
    yield "node", at_evse and request.node is not None
    yield "control.id", control is not None and control.id not in {"", request.id}
    yield "control.from_at", control is not None and (control.from_at is not None or control.duration_s is not None)


def _timed(request: GridRequest, control: DerControl) -> DerControl:
    """The control under the id and with the times of its request: without times it is a default one [B-1]."""
    duration_s = None
    if request.from_at is not None and request.until_at is not None:
        duration_s = (request.until_at - request.from_at).total_seconds()
    is_default = request.from_at is None
    return replace(control, id=request.id, is_default=is_default, from_at=request.from_at, duration_s=duration_s)
