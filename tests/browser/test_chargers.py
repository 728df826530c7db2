"""The page of chargers in headless Chromium: who does not do what it is told, since when, and what to do.

The service runs in a process of its own, because NiceGUI serves one application per process.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from loadmgr.domain import events as ev
from loadmgr.domain.commands import SendSetpoint
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.samples import Measured
from loadmgr.domain.traits import Traits
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.sim.scenario import on_any_port
from loadmgr.wiring import running
from tests.support.days import EXAMPLES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
HOSTILE = '<img src=x onerror="document.title=1">'
BAD, EVSE, CAR = StationId("office-3"), EvseId("office-3/1"), SessionId("car")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: install the package chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def _child(folder: str, pipe: Connection) -> None:
    asyncio.run(_serve(Path(folder), pipe))


async def _serve(folder: Path, pipe: Connection) -> None:
    """The service with a host that accepts every order and takes events from the pipe; ``None`` ends it."""
    loaded = on_any_port(Settings.load(EXAMPLES / "office.toml"), f"sqlite:///{folder / 'web.db'}")
    context = replace(loaded.context, params=replace(loaded.context.params, obey_s=1.0))
    settings = replace(loaded, context=context, ocpp=replace(loaded.ocpp, listen=None))
    async with running(settings) as service:
        accepting = asyncio.create_task(_accept(service.manager))
        pipe.send((service.url, service.api_key))
        while (events := await asyncio.to_thread(pipe.recv)) is not None:
            service.manager.take(*events)
        accepting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await accepting


async def _accept(manager: LoadManager) -> None:
    async for command in manager.commands():
        if isinstance(command, SendSetpoint):
            no, evse = command.no, command.setpoint.evse
            manager.take(ev.SetpointAnswered(at=manager.now(), no=no, evse=evse, accepted=True))


class Site:
    """A service elsewhere, to which things happen."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url, self.key = pipe.recv()

    def take(self, *events: ev.Event) -> None:
        self._pipe.send(events)

    def draws(self, current_a: float) -> None:
        now = datetime.now(UTC)
        measured = Measured(current_a=(current_a,) * 3, power_kw=current_a * 0.69)
        self.take(
            ev.MeterSample(at=now, meter=MeterId("grid-meter"), measured_at=now, measured=Measured(current_a=(20.0,) * 3)),
            ev.MeterSample(at=now, meter=MeterId(EVSE), measured_at=now, measured=measured, session=CAR),
        )

    def begins(self) -> None:
        """Everybody connects but the fourth; a car comes to the third, where little is left for it."""
        now = datetime.now(UTC)
        for number in (1, 2, 3):
            station = StationId(f"office-{number}")
            self.take(
                ev.StationConnected(at=now, station=station, ocpp="1.6"),
                ev.FailsafeAnswered(at=now, station=station, failsafe_a=6.0, accepted=True),
                ev.EvseStatusChanged(at=now, evse=EvseId(f"{station}/1"), status=ev.EvseStatus.AVAILABLE),
            )
        tight = Limit(id=LimitId("tight"), node=NodeId("carpark"), source="operator", current_a=45.0)
        self.take(
            ev.LimitSet(at=now, limit=tight),
            ev.StationBooted(at=now, station=BAD, vendor=HOSTILE, model="Wall 22", firmware="1.2"),
            ev.TraitsKnown(at=now, station=BAD, traits=Traits(may_trigger=False), evidence=(HOSTILE, "three refusals")),
            ev.EvseStatusChanged(at=now, evse=EVSE, status=ev.EvseStatus.CHARGING),
            ev.SessionStarted(at=now, session=CAR, evse=EVSE, transaction="1"),
        )
        self.draws(6.0)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One service for the tests here."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(str(tmp_path_factory.mktemp("web")), theirs), daemon=True)
    process.start()
    assert ours.poll(60), "the service did not start"
    found = Site(ours)
    found.begins()
    yield found
    ours.send(None)
    process.join(20)
    assert process.exitcode == 0


def test_the_page_names_the_charger_that_disobeys_since_when_and_what_to_do(site: Site) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        mistakes: list[str] = []
        page.on("pageerror", lambda e: mistakes.append(str(e)))
        page.on("console", lambda m: mistakes.append(m.text) if m.type == "error" else None)
        page.goto(f"{site.url}/chargers")
        page.get_by_label("API key").fill(site.key)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Chargers", exact=True).click()
        table, detail = page.get_by_test_id("chargers"), page.get_by_test_id("charger-detail")
        expect(page.get_by_test_id("linked")).to_have_text("3 of 4", timeout=20_000)
        expect(table).to_contain_text("has not connected since the service started")
        expect(detail).to_contain_text("office-4")
        first = table.locator("tbody tr").first
        for _ in range(120):  # it goes on drawing while the order falls and settles
            site.draws(31.0)
            page.wait_for_timeout(250)
            if "draws 31.0 A, more than" in first.inner_text():
                break
        expect(first).to_contain_text("office-3")
        expect(first).to_contain_text("CRITICAL")
        expect(first).to_contain_text("it counts at its hardware maximum")
        expect(detail).to_contain_text("office-3")
        expect(detail).to_contain_text("Accepted")
        expect(detail).to_contain_text("counts at its maximum")
        expect(detail).to_contain_text("may_trigger = no (standard: yes)", timeout=10_000)
        expect(detail).to_contain_text("three refusals", timeout=10_000)
        now = datetime.now(UTC)
        site.take(ev.RemedyTried(at=now, evse=EVSE, remedy="form", form_no=1))
        expect(detail).to_contain_text("tried another way to say it", timeout=10_000)
        site.take(ev.ExternalLimitSet(at=now, station=StationId("office-2"), source=HOSTILE, current_a=10.0))
        table.get_by_role("link", name="office-2").click()
        expect(detail).to_contain_text(f"{HOSTILE} limits it: 10 A", timeout=10_000)
        page.get_by_text("Only those with a problem or a note").click()
        expect(table).not_to_contain_text("office-1")
        assert page.locator('img[src="x"]').count() == 0
        assert page.title().startswith("loadmgr")
        assert mistakes == []
        browser.close()


def test_the_page_of_chargers_fits_a_phone_and_needs_a_sign_in(site: Site) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 400, "height": 850})
        page.goto(f"{site.url}/chargers")
        expect(page.get_by_label("API key")).to_be_visible(timeout=20_000)
        assert page.get_by_test_id("chargers").count() == 0
        page.get_by_label("API key").fill(site.key)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_test_id("site-power")).to_be_visible(timeout=20_000)
        page.goto(f"{site.url}/chargers?station=office-1")
        expect(page.get_by_test_id("charger-detail")).to_contain_text("office-1", timeout=20_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        browser.close()
