"""Golden frames: what each version hears and says, kept as files; ``python -m tests.support.golden`` writes them anew.

An entry of ``<version>-in.json`` is a frame of a station with our answer and its events; ``before`` names entries that
are played first, ``at_s`` counts from noon. An entry of ``<version>-out.json`` is a command (with ``traits`` that differ
from the standard) and the calls that carry it out, or the error that says why it cannot be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from loadmgr import codec
from loadmgr.domain.ids import EvseId, NodeId, SiteId, StationId
from loadmgr.domain.site import Evse, EvseCaps, GridNode, Site, Station
from loadmgr.domain.traits import Traits
from loadmgr.errors import ProtocolError
from loadmgr.ocpp.session import Fault, Incoming, Session
from loadmgr.ocpp.transactions import Transactions
from loadmgr.ocpp.translation import Desk
from loadmgr.ocpp.versions import VERSIONS
from tests.support.builders import NOON

FOLDER = Path(__file__).parents[1] / "protocol" / "golden"
OCPP = tuple(v.ocpp for v in VERSIONS.values())
STATION = StationId("S1")

Json = dict[str, Any]


def entries(ocpp: str, direction: str) -> dict[str, Json]:
    """The entries of one file by name, ``direction`` ``in`` or ``out``."""
    found: list[Json] = json.loads((FOLDER / f"{ocpp}-{direction}.json").read_text())
    assert len({e["name"] for e in found}) == len(found), "a name stands twice"
    return {e["name"]: e for e in found}


def a_desk() -> Desk:
    """A station with a bidirectional EVSE and a second one; one id tag is good."""
    grid = NodeId("grid")
    caps = (EvseCaps(current_max_a=32.0, discharge_max_kw=11.0), EvseCaps(current_max_a=16.0))
    evses = {
        EvseId(f"S1/{n}"): Evse(id=EvseId(f"S1/{n}"), station=STATION, number=n, node=grid, caps=c, rotation="RST")
        for n, c in enumerate(caps, start=1)
    }
    site = Site(
        id=SiteId("site"),
        nodes={grid: GridNode(id=grid)},
        stations={STATION: Station(id=STATION, evses=tuple(evses))},
        evses=evses,
    )
    return Desk(station=STATION, site=site, transactions=Transactions(), heartbeat_s=300, accept=frozenset({"GOOD"}))


def _version(ocpp: str) -> Any:
    return next(v for v in VERSIONS.values() if v.ocpp == ocpp)


def heard(ocpp: str, known: Mapping[str, Json], name: str) -> Json:
    """What becomes of a frame: ``answer`` (a frame, or ``None``) and ``events``."""
    version, desk, session = _version(ocpp), a_desk(), Session(ocpp)
    found: Json = {}
    for step in (*known[name].get("before", ()), name):
        now = NOON + timedelta(seconds=known[step].get("at_s", 0))
        for action, payload in known[step].get("sent", ()):
            desk.noted(action, payload, now)
        frame = known[step]["frame"]
        (result,) = session.receive(json.dumps(frame), 0.0)
        if isinstance(result, Fault):
            found = {"fault": result.detail}
        elif isinstance(result, Incoming):
            handled = version.handle(desk, result.action, result.payload, now)
            if handled.refusal is not None:
                session.refuse(result.id, *handled.refusal)
            else:
                session.reply(result.id, result.action, handled.answer)
            found = {"events": [json.loads(codec.encode(e)) for e in handled.events]}
            if handled.report is not None:
                found["report"] = handled.report
        else:
            found = {"result": type(result).__name__}
        frames = session.take_frames()
        found["answer"] = json.loads(frames[0]) if frames else None
    return found


def said(ocpp: str, entry: Json) -> Json:
    """What a command becomes: ``calls``, or ``error``."""
    command = codec.decode(json.dumps(entry["command"]))
    traits = Traits()
    if "traits" in entry:
        told = {"kind": "TraitsKnown", "v": 1, "at": NOON.isoformat(), "station": "S1", "traits": entry["traits"]}
        traits = codec.decode(json.dumps(told)).traits
    try:
        return {"calls": [list(call) for call in _version(ocpp).to_calls(command, traits)]}
    except ProtocolError as error:
        return {"error": str(error)}


def written(found: list[Json]) -> str:
    """A file of entries: one key a line."""
    parts = [",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in entry.items()) for entry in found]
    return "[\n" + ",\n".join(f" {{\n{part}\n }}" for part in parts) + "\n]\n"


def main() -> None:
    """Write what is heard and said now into every file; the difference is for people to read."""
    for ocpp in OCPP:
        known = entries(ocpp, "in")
        given = ("name", "rule", "before", "at_s", "sent", "frame")
        listed = [{**{k: e[k] for k in given if k in e}, **heard(ocpp, known, n)} for n, e in known.items()]
        (FOLDER / f"{ocpp}-in.json").write_text(written(listed))
        given = ("name", "rule", "traits", "command")
        commands = entries(ocpp, "out").values()
        listed = [{**{k: e[k] for k in given if k in e}, **said(ocpp, e)} for e in commands]
        (FOLDER / f"{ocpp}-out.json").write_text(written(listed))


if __name__ == "__main__":
    main()
