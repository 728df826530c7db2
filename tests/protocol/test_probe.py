"""``loadmgr probe``: what it finds of chargers, what it never does, and the way from the command line to a charger."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from loadmgr.cli import app
from loadmgr.clock import RealClock
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.traits import Traits
from loadmgr.ocpp.probe import ProbeError, Report, examine
from loadmgr.ocpp.quirks import Product, parse
from loadmgr.settings import Address, Settings
from loadmgr.sim.scenario import make_twins, on_any_port
from loadmgr.sitefile.models import StationTraits
from loadmgr.wiring import Running, running
from tests.protocol.test_peculiar import STATION, Odd, Site, run
from tests.support.chargers import start, until
from tests.support.days import EXAMPLES

KEY = "operators-key-0123456789"


def probed(folder: Path, odd: Odd, check: Callable[[Report, Odd, Site], None], **given: Any) -> None:
    """Boot a charger, examine it, check the report."""

    async def play(site: Site) -> None:
        site.plug(odd)
        await odd.boot("Maker", "Model 1", "2.0")
        await site.ready(odd)
        await asyncio.sleep(0.05)
        odd.calls.clear()
        link = site.gateway.link(STATION)
        assert link is not None
        asking = asyncio.create_task(examine(link, **given))
        while not asking.done():
            await asyncio.sleep(0.01)
            if any(a == "TriggerMessage" for a in odd.actions()) and odd.says.get("TriggerMessage") is None:
                await odd.status("Available")
                break
        check(await asking, odd, site)

    run(folder, play)


def profiles(odd: Odd) -> list[dict[str, Any]]:
    return [p["csChargingProfiles"] for a, p in odd.calls if a == "SetChargingProfile"]


def periods(odd: Odd) -> list[dict[str, Any]]:
    return [period for p in profiles(odd) for period in p["chargingSchedule"]["chargingSchedulePeriod"]]


def test_a_standard_charger_needs_no_rule(tmp_path: Path) -> None:
    def check(report: Report, odd: Odd, site: Site) -> None:
        assert "no rule is needed" in report.rule or "is_composite_useful = false" in report.rule
        assert report.product == Product(vendor="Maker", model="Model 1", firmware="2.0")
        assert all(t.works for t in report.trials if t.what.startswith("profile"))

    probed(tmp_path, Odd(), check)


def test_trials_allow_no_more_than_stands_and_end_by_themselves(tmp_path: Path) -> None:
    """An examination must be harmless: limits at most the fail-safe, a minute at the most, no slot of the fail-safe."""

    def check(report: Report, odd: Odd, site: Site) -> None:
        failsafe_a = site.manager.site.evses[EvseId("office-1/1")].failsafe_a
        assert failsafe_a == 6.0
        assert periods(odd)
        for profile in profiles(odd):
            schedule = profile["chargingSchedule"]
            most = failsafe_a if schedule["chargingRateUnit"] == "A" else failsafe_a * 230 * 3
            assert schedule["chargingSchedulePeriod"][0]["limit"] <= most
            assert schedule["duration"] <= 130
            assert profile["chargingProfileId"] not in {1, 2}, "the layers that hold without us stay as they are"
        assert odd.n("ClearChargingProfile") == 1
        assert not {"Reset", "RemoteStartTransaction", "RemoteStopTransaction"} & set(odd.actions())

    probed(tmp_path, Odd(), check)


def test_a_peculiar_charger_gets_a_rule_that_can_be_used(tmp_path: Path) -> None:
    """[G-2, G-20, G-24]: the printed rule is read back and makes the same traits."""

    def answer(payload: dict[str, Any]) -> dict[str, str]:
        limit = payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
        return {"status": "Accepted" if limit > 0 else "Rejected"}

    odd = Odd(
        says={
            "SetChargingProfile": answer,
            "GetCompositeSchedule": {"status": "Rejected"},
            "TriggerMessage": {"status": "Rejected"},
        }
    )

    def check(report: Report, odd: Odd, site: Site) -> None:
        (rule,) = parse({"probe.toml": report.rule})
        assert rule.matches(report.product)
        assert rule.given == {"zero": "hold", "is_composite_useful": False, "may_trigger": False}
        table = tomllib.loads(report.site_table)["stations"]["office-1"]["traits"]
        assert StationTraits.model_validate(table).zero == "hold"
        assert not site.traits().may_trigger, "what was found holds at once"

    probed(tmp_path, odd, check)


def test_what_was_refused_goes_and_what_was_not_tried_stays(tmp_path: Path) -> None:
    """[G-1, A-40]: without a transaction nothing is known of profiles for one."""

    def answer(payload: dict[str, Any]) -> dict[str, str]:
        purpose = payload["csChargingProfiles"]["chargingProfilePurpose"]
        return {"status": "NotSupported" if purpose == "ChargePointMaxProfile" else "Accepted"}

    def check(report: Report, odd: Odd, site: Site) -> None:
        found = {f.trait: f.value for f in report.found}
        if any(p["chargingProfilePurpose"] == "ChargePointMaxProfile" for p in profiles(odd)):
            assert found["purposes"] == ("tx", "default", "station-default")

    probed(tmp_path, Odd(says={"SetChargingProfile": answer}), check)


def test_a_busy_charger_is_left_alone_without_consent(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        odd = site.plug(Odd())
        await odd.boot()
        await site.ready(odd)
        await odd.ask("StartTransaction", start())
        link = site.gateway.link(STATION)
        assert link is not None
        odd.calls.clear()
        with pytest.raises(ProbeError, match="--busy"):
            await examine(link)
        assert odd.calls == []
        with pytest.raises(ProbeError, match="not one of station"):
            await examine(link, evse=EvseId("office-2/1"))
        odd.says["TriggerMessage"] = {"status": "Rejected"}
        report = await examine(link, may_disturb=True)
        assert report.evse == "office-1/1"
        tried = {t.what.split(", ")[-1] for t in report.trials if t.what.startswith("profile")}
        assert len(tried) == 1, "a car that charges is told its present limit and nothing else"

    run(tmp_path, play)


def test_hostile_names_stay_text_in_the_rule(tmp_path: Path) -> None:
    """[B27, G13]"""
    from loadmgr.ocpp.detect import Finding
    from loadmgr.ocpp.probe import rule_text, site_text

    nasty = 'a" }\nset = { zero = "stop" }\n#\\\u202e\x00'
    found = [Finding(trait="may_trigger", value=False, evidence="x")]
    product = Product(vendor=nasty, model="m")
    (rule,) = parse({"x.toml": rule_text(product, found, "e")})
    assert rule.given == {"may_trigger": False}
    assert tomllib.loads(site_text("office-1", found)) == {"stations": {"office-1": {"traits": {"may_trigger": False}}}}
    assert "has not said" in rule_text(Product(), found, "e")


# -- from the command line to a charger ----------------------------------------------------------------------------


def command(service: Running, *words: str, key: str = KEY) -> Result:
    return CliRunner().invoke(app, ["probe", *words, "--url", service.url, "--key", key])


def with_service(folder: Path, play: Callable[[Running], Awaitable[None]]) -> None:
    async def main() -> None:
        loaded = on_any_port(Settings.load(EXAMPLES / "office.toml"), f"sqlite:///{folder / 'office.db'}")
        api = replace(loaded.api, listen=Address(host="127.0.0.1", port=0), key=KEY)
        async with running(replace(loaded, api=api), dashboard=False) as service:
            await play(service)

    asyncio.run(main())


def test_the_command_examines_a_simulated_charger_over_a_real_websocket(tmp_path: Path) -> None:
    async def play(service: Running) -> None:
        assert service.gateway is not None
        settings = service.manager.settings
        twins = make_twins(settings, RealClock(), service.gateway.port, lambda: None, versions=("1.6",))
        twin = twins[StationId("office-1")]
        twin.faults.rejects_triggers = True
        twin.start()
        try:
            await until(lambda: service.gateway is not None and service.gateway.link(STATION) is not None)
            await until(lambda: service.manager.state.stations[STATION].failsafe.value == "confirmed", 15)
            result = await asyncio.to_thread(command, service, "office-1")
        finally:
            await twin.stop()
        assert result.exit_code == 0, result.output
        for word in ("tried", "works", "profile default, A", "composite schedule", "may_trigger = false", "[[rule]]"):
            assert word in result.output
        assert not service.manager.state.chargers.traits_of(STATION).may_trigger

    with_service(tmp_path, play)


def test_what_cannot_be_probed_says_why_and_what_to_do(tmp_path: Path) -> None:
    async def play(service: Running) -> None:
        cases = {
            ("office-1",): ("not connected", "check its power"),
            ("no-such-station",): ("does not exist", "known stations: office-1"),
        }
        for words, said in cases.items():
            result = await asyncio.to_thread(command, service, *words)
            assert result.exit_code == 1
            assert all(word in result.output for word in said), result.output
        result = await asyncio.to_thread(lambda: command(service, "office-1", key="wrong"))
        assert result.exit_code == 1
        assert "--key" in result.output
        assert service.manager.state.chargers.traits_of(STATION) == Traits()

    with_service(tmp_path, play)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "file:///etc/passwd", "nonsense"])
def test_an_address_without_a_service_says_so(url: str) -> None:
    result = CliRunner().invoke(app, ["probe", "office-1", "--url", url])
    assert result.exit_code == 1
    assert url in result.output
    assert "--url" in result.output
