"""Golden frames of every version: what a station says becomes exactly these events and this answer, a command its calls."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from loadmgr import codec
from loadmgr.domain.commands import Command
from loadmgr.ocpp import actions
from loadmgr.ocpp.schemas import UNCONFIRMED, breach
from loadmgr.ocpp.versions import VERSIONS
from tests.support import golden

NOT_ANSWERED = frozenset({"fault", "result"})


def _names(direction: str) -> list[tuple[str, str]]:
    return [(ocpp, name) for ocpp in golden.OCPP for name in golden.entries(ocpp, direction)]


def _events(found: list[Any]) -> list[Any]:
    return [codec.decode(json.dumps(e)) for e in found]


@pytest.mark.parametrize(("ocpp", "name"), _names("in"))
def test_a_frame_gets_exactly_its_answer_and_becomes_exactly_its_events(ocpp: str, name: str) -> None:
    known = golden.entries(ocpp, "in")
    entry, found = known[name], golden.heard(ocpp, known, name)
    assert found["answer"] == entry["answer"]
    assert _events(found.get("events", [])) == _events(entry.get("events", []))
    assert [found.get(k) for k in ("fault", "result", "report")] == [entry.get(k) for k in ("fault", "result", "report")]


@pytest.mark.parametrize(("ocpp", "name"), _names("out"))
def test_a_command_becomes_exactly_its_calls_and_each_is_valid(ocpp: str, name: str) -> None:
    entry = golden.entries(ocpp, "out")[name]
    found = golden.said(ocpp, entry)
    assert found == {k: entry[k] for k in ("calls", "error") if k in entry}
    for action, payload in found.get("calls", []):
        assert breach(ocpp, action, payload, is_request=True) is None


@pytest.mark.parametrize("ocpp", golden.OCPP)
def test_every_action_of_a_station_has_a_frame_with_a_valid_answer(ocpp: str) -> None:
    """[0-7] What a station may send by the version is answered by the version's own schema."""
    known = golden.entries(ocpp, "in")
    heard = {e["frame"][2] for e in known.values() if NOT_ANSWERED.isdisjoint(e)}
    wanted = {a.name for a in actions.ACTIONS if a.comes_in(ocpp)}
    assert wanted - heard == set()
    for entry in known.values():
        kind, _, *rest = entry["answer"] or (0, "")
        if kind == 3:
            assert breach(ocpp, entry["frame"][2], rest[0], is_request=False) is None


@pytest.mark.parametrize("ocpp", golden.OCPP)
def test_every_command_has_its_calls_or_the_reason_why_the_version_has_none(ocpp: str) -> None:
    known = golden.entries(ocpp, "out").values()
    assert {t.__name__ for t in get_args(Command)} - {e["command"]["kind"] for e in known} == set()
    assert {e["error"].split(": ")[1] for e in known if "error" in e} <= {"NotSupported", "InvalidLimit"}


@pytest.mark.parametrize("ocpp", golden.OCPP)
def test_what_is_sent_is_what_the_register_of_actions_says(ocpp: str) -> None:
    sent = {call[0] for e in golden.entries(ocpp, "out").values() for call in e.get("calls", [])}
    assert sent == {a.name for a in actions.ACTIONS if a.goes_out(ocpp)}


def test_the_register_knows_every_action_of_every_version() -> None:
    for ocpp in golden.OCPP:
        assert {a.name for a in actions.ACTIONS if a.is_in(ocpp)} == actions.in_schemas(ocpp)


def test_the_preferred_version_is_the_newest_and_only_it_has_unconfirmed_messages() -> None:
    assert list(VERSIONS) == ["ocpp2.1", "ocpp2.0.1", "ocpp1.6"]
    assert {a.name for a in actions.ACTIONS if a.name in UNCONFIRMED} == UNCONFIRMED
    assert not any(a.is_in(ocpp) for a in actions.ACTIONS if a.name in UNCONFIRMED for ocpp in ("1.6", "2.0.1"))


def test_the_page_of_actions_is_made_from_the_register() -> None:
    assert actions.PAGE.read_text() == actions.page(), "run make docs"
