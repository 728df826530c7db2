"""Messages that are wrong, odd or too early [B08-B12, B19, B20]: each beside two healthy chargers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from tests.support.chargers import Raw, meter, until
from tests.support.faulty_settings import limited
from tests.support.faulty_site import ODD_EVSE, FaultySite, beside_two
from tests.support.schema_cases import FOLDERS, broken, requests, valid

VERSIONS = tuple(v for v, _ in FOLDERS)
UNPATIENT = limited(messages_per_s=100_000.0, messages_at_once=100_000)
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e308", "1e999", "-1e999", "-0.0", "1e-320", "12,5", "0x10", " ", "")
ZEROS = frozenset({"-0.0", "1e-320"})
"""Numbers in the end: as registers they say that the meter was exchanged (rule C.5)."""
STRICT = "traits = { is_lenient = false }"
ENERGY, POWER, CURRENT = "Energy.Active.Import.Register", "Power.Active.Import", "Current.Import"


def numbers(value: Any) -> Iterator[float]:
    """Every number in a value, however deep."""
    if isinstance(value, bool | str | bytes | Enum) or value is None:
        return
    if isinstance(value, int | float):
        yield float(value)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from numbers(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from numbers(part)
    elif isinstance(value, tuple | list | set | frozenset):
        for part in value:
            yield from numbers(part)


async def _is_sane(site: FaultySite) -> None:
    """No number in the state or in the records that is none, or that no charger can mean."""
    state = site.manager.state
    measured = [state.evses, state.sessions, state.meters]
    assert all(math.isfinite(x) and abs(x) < 1e9 for x in numbers(measured))
    if state.plan is not None:
        assert all(math.isfinite(x) for x in numbers(state.plan.power_kw))
    for session in await site.stored():
        assert all(math.isfinite(x) and abs(x) < 1e9 for x in numbers(session))


def test_b08_what_is_no_number_reaches_neither_state_nor_plan_nor_database(tmp_path: Path) -> None:
    """[B08] 1.6 writes numbers as text: each value in each place, with an honest one between them."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=UNPATIENT) as site, site.commissioned() as raw:
            transaction = (await raw.ask("StartTransaction", site.start(meter=1000)))[2]["transactionId"]
            for value in NUMBERS:
                for measurand in (CURRENT, POWER) if value in ZEROS else (CURRENT, POWER, ENERGY):
                    values = [{"value": value, "measurand": measurand}]
                    assert (await raw.ask("MeterValues", meter(transaction, values, at=site.stamp())))[0] in {3, 4}
                assert max(site.manager.state.evses[ODD_EVSE].draw_a()) < 1e-9, value
                (session,) = site.odd_sessions
                assert session.energy_kwh < 1e-9, value
            honest = [{"value": "1100", "measurand": ENERGY}, {"value": "6.0", "measurand": CURRENT}]
            assert (await raw.ask("MeterValues", meter(transaction, honest, at=site.stamp())))[0] == 3
            assert max(site.manager.state.evses[ODD_EVSE].draw_a()) == 6.0
            assert (await raw.ask("StopTransaction", site.stop(transaction, 1200)))[0] == 3
            await _is_sane(site)
            (record,) = await site.stored(ODD_EVSE)
            assert round(record.energy_kwh * 1000) == 200

    asyncio.run(play())


def test_b08_digits_of_another_script_are_no_number(tmp_path: Path) -> None:
    """[B08] Nor full-width ones, nor digits with underlines or blanks between them."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.commissioned() as raw:
            for value in ("\u0661\u0662", "\uff11\uff12", "1_2", "1 2", "12\u00a0"):
                payload = meter(0, [{"value": value, "measurand": CURRENT}], at=site.stamp())
                assert (await raw.ask("MeterValues", payload))[0] in {3, 4}
                assert max(site.manager.state.evses[ODD_EVSE].draw_a()) == 0.0, value

    asyncio.run(play())


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_b08_the_same_in_2_x_where_numbers_are_json(tmp_path: Path, version: str) -> None:
    """[B08] A token that is no JSON number breaks the whole message."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.commissioned(version=version) as raw:
            for value in ("NaN", "-Infinity", "1e999", "-1e999", "1e308", "-0.0", "1e-320", "0x10", "12,5", '"7a"'):
                payload = '{"evseId":1,"meterValue":[{"timestamp":"%s","sampledValue":[{"value":%s,"measurand":"%s"}]}]}'
                await raw.send(f'[2,"v","MeterValues",{payload % (site.stamp(), value, CURRENT)}]')
                assert (await raw.answer())[0] in {3, 4}, value
                assert max(site.manager.state.evses[ODD_EVSE].draw_a()) < 1e-9, value
            await _is_sane(site)
            assert (await raw.ask("Heartbeat", {}))[0] == 3

    asyncio.run(play())


def test_b09_a_register_that_falls_or_is_negative_bills_nothing(tmp_path: Path) -> None:
    """[B09] Registers of 5 kWh, then -3 kWh, then 5.2 kWh; negative power of a car that cannot deliver."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.commissioned() as raw:
            transaction = (await raw.ask("StartTransaction", site.start(meter=5000)))[2]["transactionId"]
            for energy, power in (("5100", "4000"), ("-3000", "-9000"), ("5150", "-4000")):
                values = [{"value": energy, "measurand": ENERGY}, {"value": power, "measurand": POWER}]
                assert (await raw.ask("MeterValues", meter(transaction, values, at=site.stamp())))[0] == 3
                (session,) = site.odd_sessions
                assert 0.0 <= session.energy_kwh <= 0.2
                assert site.counted_a(ODD_EVSE.partition("/")[0]) >= 6.0  # what cannot be true frees nothing
            assert (await raw.ask("StopTransaction", site.stop(transaction, 5200)))[0] == 3
            (record,) = await site.stored(ODD_EVSE)
            assert round(record.energy_kwh * 1000) == 200

    asyncio.run(play())


@pytest.mark.parametrize("version", VERSIONS)
def test_b10_an_unknown_action_is_not_implemented(tmp_path: Path, version: str) -> None:
    """[B10] Also the names of answers, of other versions, of files, and none."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.odd(version=version) as raw:
            other = "TransactionEvent" if version == "1.6" else "StartTransaction"
            for action in ("Frobnicate", "HeartbeatResponse", "heartbeat", other, "../Heartbeat", "", "Heart\u0000beat"):
                answer = await raw.ask(action, {})
                assert (answer[0], answer[2]) == (4, "NotImplemented"), action
            assert (await raw.ask("Heartbeat", {}))[0] == 3

    asyncio.run(play())


async def _accepted(raw: Raw, version: str) -> dict[str, dict[str, Any]]:
    """The requests of a version to which the smallest valid payload is answered, with that payload."""
    found = {}
    for action, schema in requests(version).items():
        payload = valid(schema)
        answer = await raw.ask(action, payload)
        if answer[0] == 3:
            found[action] = payload
        else:
            assert answer[2] in {"NotSupported", "NotImplemented", "PropertyConstraintViolation"}, answer
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_b11_unknown_fields_are_tolerated_whatever_they_hold(tmp_path: Path, version: str) -> None:
    """[B11] By default; every action that is answered without them is answered with them."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=UNPATIENT) as site, site.odd(version=version) as raw:
            for action, payload in (await _accepted(raw, version)).items():
                for more in ({"vendorField": "x"}, {"": None}, {"a b": [{"deep": [1]}]}, {"__proto__": {"x": 1}}):
                    answer = await raw.ask(action, {**payload, **more})
                    assert answer[0] == 3, (answer, action, more)

    asyncio.run(play())


@pytest.mark.parametrize("version", VERSIONS)
def test_b11_where_the_operator_is_strict_they_are_a_formation_violation(tmp_path: Path, version: str) -> None:
    """[B11, 0-7]"""
    code = "FormationViolation" if version == "1.6" else "FormatViolation"

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=UNPATIENT, traits=STRICT) as site, site.odd(version=version) as raw:
            found = await _accepted(raw, version)
            assert len(found) >= 8
            for action, payload in found.items():
                answer = await raw.ask(action, {**payload, "vendorField": "x"})
                assert (answer[0], answer[2]) == (4, code), (action, answer)

    asyncio.run(play())


@pytest.mark.parametrize("is_lenient", [True, False])
@pytest.mark.parametrize("version", VERSIONS)
def test_b12_every_breach_of_a_schema_gets_its_code(
    tmp_path: Path, version: str, is_lenient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[B12, 0-7] Every request of the version, broken in one place; one that only we send may be "not supported"."""
    monkeypatch.setattr("loadmgr.ocpp.connection.FAULTS_PER_MINUTE", 10**9)
    traits = "" if is_lenient else STRICT

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=UNPATIENT, traits=traits) as site, site.odd(version=version) as raw:
            theirs = await _accepted(raw, version)
            wrong = []
            for case in broken(version):
                answer = await raw.ask(case.action, case.payload)
                if is_lenient and case.is_forgiven and answer[0] == 3:
                    continue
                also = set() if case.action in theirs else {"NotSupported", "NotImplemented"}
                if answer[0] != 4 or answer[2] not in {case.code, *also}:
                    wrong.append((case.action, case.what, case.code, answer))
            assert wrong == [], "\n".join(map(str, wrong))

    asyncio.run(play())


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_b19_nothing_counts_before_the_boot_was_accepted(tmp_path: Path, version: str) -> None:
    """[B19, E-20] 2.x: every message but the boot is a security error, has no effect, and nobody is commanded."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=UNPATIENT) as site, site.odd(version=version, boots=False) as raw:
            for action, schema in requests(version).items():
                if action != "BootNotification":
                    answer = await raw.ask(action, valid(schema))
                    assert (answer[0], answer[2]) == (4, "SecurityError"), action
            assert site.odd_sessions == []
            assert raw.profiles("TxDefaultProfile") == raw.profiles("ChargingStationMaxProfile") == []
            about = {"model": "m", "vendorName": "v"}
            answer = await raw.ask("BootNotification", {"chargingStation": about, "reason": "PowerUp"})
            assert answer[2]["status"] == "Accepted"
            await until(lambda: raw.got("SetChargingProfile"))

    asyncio.run(play())


def test_b19_a_1_6_charger_that_goes_on_without_a_boot_is_served(tmp_path: Path) -> None:
    """[B19, E-2, G-43] It reconnects in the middle of a session, or never boots at all."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.odd(boots=False) as raw:
            assert (await raw.ask("StartTransaction", site.start()))[0] == 3
            await until(lambda: raw.got("SetChargingProfile"), 20.0)

    asyncio.run(play())


FORGED = (
    [3, "nobody-asked", {"status": "Accepted"}],
    [3, "nobody-asked", {}],
    [4, "nobody-asked", "GenericError", "", {}],
    [3, "nobody-asked"],
    [4, "nobody-asked"],
    [3, "nobody-asked", None],
    [3, "nobody-asked", {"status": "Accepted"}, "more"],
)


def test_b20_answers_to_calls_that_nobody_made_are_dropped_and_counted(tmp_path: Path) -> None:
    """[B20, G-49, G08]"""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.commissioned() as raw:
            await until(lambda: any(c[2] == "TriggerMessage" for c in raw.calls))
            link = site.gateway.link("odd")
            assert link is not None
            before = link.session.unknown_answers
            for frame in FORGED * 3:
                await raw.send(json.dumps(frame))
            await raw.send('[2,"after","Heartbeat",{}]')
            while (await raw.answer())[1] != "after":
                pass
            assert link.session.unknown_answers - before >= 3 * 4
            assert site.odd_is_online

    asyncio.run(play())


@pytest.mark.parametrize(
    "shape", [{"status": "Perhaps"}, {}, None, [], "Accepted", {"status": None}, {"status": ["Accepted"]}]
)
def test_b20_an_answer_of_the_wrong_shape_is_never_an_acceptance(tmp_path: Path, shape: Any) -> None:
    """[B20, A03] The order is unknown or refused, and counts as such."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.commissioned() as raw:
            await until(lambda: any(c[2] == "TriggerMessage" for c in raw.calls))
            raw.is_silent = True
            await raw.ask("StartTransaction", site.start())
            await until(lambda: raw.profiles("TxProfile"))
            asked = [c for c in raw.calls if "TxProfile" in json.dumps(c)][-1]
            await raw.send(json.dumps([3, asked[1], shape]))
            assert (await raw.ask("Heartbeat", {}))[0] == 3
            outcomes = [o.outcome.value for o in site.manager.state.evses[ODD_EVSE].orders]
            assert "accepted" not in outcomes
            assert site.odd_is_online

    asyncio.run(play())


def test_schema_cases_cover_every_request() -> None:
    """The generator of B12 says something about nearly every action: a schema without required fields can break less."""
    for version in VERSIONS:
        silent = requests(version).keys() - {c.action for c in broken(version)}
        assert len(silent) < 0.15 * len(requests(version)), (version, silent)
