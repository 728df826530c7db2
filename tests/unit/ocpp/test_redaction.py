"""[G26] Frames are shown without passwords, keys and credentials in addresses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.ocpp.redaction import SHOWN_MAX, redacted, scrubbed

CANARY = "canary-0123456789abcdef"
BASIC = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}

FRAMES: dict[str, list[Any]] = {
    "1.6 writes the key": [2, "m", "ChangeConfiguration", {"key": "AuthorizationKey", "value": CANARY}],
    "1.6 writes the key, value first": [2, "m", "ChangeConfiguration", {"value": CANARY, "key": "AuthorizationKey"}],
    "1.6 tells the key": [
        3,
        "m",
        {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": CANARY}]},
    ],
    "2.x writes the password": [2, "m", "SetVariables", {"setVariableData": [{"attributeValue": CANARY, **BASIC}]}],
    "2.x tells the password": [
        3,
        "m",
        {"getVariableResult": [{**BASIC, "attributeStatus": "Accepted", "attributeValue": CANARY}]},
    ],
    "2.x reports the password": [
        2,
        "m",
        "NotifyReport",
        {"reportData": [{**BASIC, "variableAttribute": [{"type": "Actual", "value": CANARY}]}]},
    ],
    "2.1 sets a slot": [
        2,
        "m",
        "SetNetworkProfile",
        {
            "connectionData": {
                "basicAuthPassword": CANARY,
                "apn": {"apnPassword": CANARY},
                "vpn": {"server": "v", "user": "u", "password": CANARY, "key": CANARY},
            }
        },
    ],
    "an address with credentials": [
        2,
        "m",
        "GetLog",
        {"log": {"remoteLocation": f"sftp://user:{CANARY}@logs.example.org/x"}},
    ],
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("spacing", [(",", ":"), (" , ", " : ")], ids=["tight", "wide"])
def test_no_frame_shows_what_is_secret(name: str, spacing: tuple[str, str]) -> None:
    """[G26]"""
    shown = redacted(json.dumps(FRAMES[name], separators=spacing))
    assert CANARY not in shown
    assert json.loads(shown)[:2] == FRAMES[name][:2]


def test_a_broken_frame_that_may_hold_a_secret_is_not_shown_at_all() -> None:
    """[G26, B01]"""
    broken = json.dumps(FRAMES["1.6 writes the key"])[:-2]
    assert CANARY not in redacted(broken)


def test_a_secret_on_its_way_is_hidden_wherever_it_stands() -> None:
    """[G26] A station that repeats its new password in an error."""
    echo = json.dumps([4, "m", "GenericError", f"cannot use {CANARY}", {}])
    assert CANARY not in redacted(echo, (CANARY,))
    assert scrubbed(f"no {CANARY} here", (CANARY,)) == "no *** here"


@given(st.text(max_size=200).filter(lambda t: not any(x in t for x in ("uthorization", "assword", "@", "simPin", "uthKey"))))
def test_a_frame_without_secrets_is_shown_as_it_was(text: str) -> None:
    assert redacted(text) == text


def test_a_long_frame_is_cut_after_the_secret_is_hidden_not_before() -> None:
    """[G26]"""
    filler = "x" * (SHOWN_MAX - 60)
    long = json.dumps([2, "m", "ChangeConfiguration", {"filler": filler, "value": CANARY, "key": "AuthorizationKey"}])
    shown = redacted(long)
    assert len(shown) <= SHOWN_MAX
    assert "canary" not in shown
