"""The dashboard in headless Chromium: it shows live values change, and hostile text as text [G15]."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.samples import Measured
from loadmgr.domain.session import SessionIntent
from loadmgr.settings import Settings
from loadmgr.sim.scenario import on_any_port
from loadmgr.wiring import Running, running
from tests.support.days import EXAMPLES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = '<img src=x onerror="document.title=1">'

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: install the package chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Background:
    """The service on its own event loop in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self.service: Running | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with running(self._settings) as service:
            self.service = service
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> Background:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def take(self, *events: ev.Event) -> None:
        assert self.service is not None
        self._loop.call_soon_threadsafe(self.service.manager.take, *events)

    def site_meter(self, current_a: float) -> None:
        assert self.service is not None
        now = self.service.manager.now()
        measured = Measured(current_a=(current_a, current_a, current_a))
        self.take(ev.MeterSample(at=now, meter=MeterId("grid-meter"), measured_at=now, measured=measured))

    def car(self, station: str, id_tag: str, *, energy_kwh: float) -> None:
        """A car plugs in and says what it wants, where there is room for it."""
        assert self.service is not None
        now, evse = self.service.manager.now(), EvseId(f"{station}/1")
        self.site_meter(10.0)
        for known in self.service.manager.site.stations:
            self.take(ev.FailsafeAnswered(at=now, station=known, failsafe_a=6.0, accepted=True))
        self.take(
            ev.StationConnected(at=now, station=StationId(station), ocpp="1.6"),
            ev.EvseStatusChanged(at=now, evse=evse, status=ev.EvseStatus.CHARGING),
            ev.SessionStarted(at=now, session=SessionId(station), evse=evse, transaction="1", id_tag=id_tag),
        )
        self.wants(station, energy_kwh)

    def wants(self, station: str, energy_kwh: float) -> None:
        """Its driver says something else."""
        assert self.service is not None
        now = self.service.manager.now()
        intent = SessionIntent(energy_kwh=energy_kwh, depart_at=now + timedelta(hours=6), source="test")
        self.take(ev.IntentSet(at=now, session=SessionId(station), intent=intent))


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    """One service for all tests here: NiceGUI serves one application per process."""
    folder = tmp_path_factory.mktemp("web")
    loaded = on_any_port(Settings.load(EXAMPLES / "office.toml"), f"sqlite:///{folder / 'web.db'}")
    params = replace(loaded.context.params, plan_s=3600.0)  # plans come with events, so a test's own plan stays
    context = replace(loaded.context, params=params)
    with Background(replace(loaded, context=context, ocpp=replace(loaded.ocpp, listen=None))) as found:
        yield found


def test_an_operator_signs_in_and_sees_live_values_change(background: Background) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as tool:
        service = background.service
        assert service is not None
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        requests: list[str] = []
        page.on("request", lambda r: requests.append(r.url))
        page.goto(service.url)
        page.get_by_label("API key").fill("a wrong key")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("wrong")
        page.get_by_label("API key").fill(service.api_key)
        page.get_by_role("button", name="Sign in").click()
        power = page.get_by_test_id("site-power")
        background.site_meter(10.0)
        expect(power).to_have_text("6.9 kW", timeout=10_000)
        background.site_meter(20.0)
        expect(power).to_have_text("13.8 kW", timeout=10_000)
        now = service.manager.now()
        evse = EvseId("office-1/1")
        background.take(
            ev.StationConnected(at=now, station=StationId("office-1"), ocpp="1.6"),
            ev.SessionStarted(at=now, session=SessionId("s"), evse=evse, transaction="1", id_tag=HOSTILE),
            ev.AlarmRaised(at=now, key="x", severity=ev.Severity.CRITICAL, message=HOSTILE, remedy="look"),
        )
        table = page.get_by_test_id("sessions")
        expect(table).to_contain_text("office-1/1", timeout=10_000)
        assert page.locator('img[src="x"]').count() == 0
        assert page.title().startswith("loadmgr")
        assert all(url.startswith((service.url, "data:", "blob:", service.url.replace("http", "ws"))) for url in requests)
        browser.close()


def test_the_plan_page_follows_the_plan_and_says_what_is_short(background: Background) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as tool:
        service = background.service
        assert service is not None
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        mistakes: list[str] = []
        page.on("pageerror", lambda e: mistakes.append(str(e)))
        page.on("console", lambda m: mistakes.append(m.text) if m.type == "error" else None)
        page.goto(f"{service.url}/plan")
        page.get_by_label("API key").fill(service.api_key)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="The day ahead").click()
        expect(page.get_by_test_id("plan-chart").locator("canvas")).to_be_visible(timeout=10_000)
        background.car("office-2", HOSTILE, energy_kwh=8.0)
        table, short = page.get_by_test_id("plan-sessions"), page.get_by_test_id("short")
        expect(table).to_contain_text("office-2/1", timeout=10_000)
        expect(table).to_contain_text("0.0 / 8.0")
        expect(table).to_contain_text(HOSTILE)
        expect(table).to_contain_text("8.0 kWh by", timeout=10_000)
        before = page.get_by_test_id("plan-no").inner_text()
        background.wants("office-2", 6.5)
        expect(table).to_contain_text("0.0 / 6.5", timeout=10_000)
        expect(page.get_by_test_id("plan-no")).not_to_have_text(before)
        now = service.manager.now()
        limit = Limit(id=LimitId("tight"), node=NodeId("carpark"), source=HOSTILE, power_kw=0.5)
        background.take(ev.LimitSet(at=now, limit=limit))
        expect(short).to_contain_text(f"because carpark/kW ({HOSTILE}) is full", timeout=10_000)
        expect(page.get_by_test_id("limits")).to_contain_text("carpark/kW")
        background.take(ev.LimitWithdrawn(at=now, limit=limit.id))
        expect(short).to_contain_text("Everybody gets what was asked.", timeout=10_000)
        warning = page.get_by_test_id("plan-warning")
        expect(warning).to_be_hidden()
        plan = service.manager.state.plan
        assert plan is not None
        background.take(ev.PlanMade(at=now, plan=replace(plan, rule_based=True)))
        expect(warning).to_contain_text("from a rule", timeout=10_000)
        assert page.locator('img[src="x"]').count() == 0
        assert mistakes == []
        browser.close()


def test_the_plan_page_fits_a_phone(background: Background) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as tool:
        service = background.service
        assert service is not None
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 400, "height": 850})
        page.goto(service.url)
        page.get_by_label("API key").fill(service.api_key)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_test_id("site-power")).to_be_visible(timeout=10_000)
        for path, test_id in (("/", "site-power"), ("/plan", "plan-no")):
            page.goto(service.url + path)
            expect(page.get_by_test_id(test_id)).to_be_visible(timeout=10_000)
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
        browser.close()


def test_nobody_sees_the_site_without_signing_in(background: Background) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as tool:
        assert background.service is not None
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page()
        for path, test_id in (("/", "site-power"), ("/plan", "plan-no")):
            page.goto(background.service.url + path)
            expect(page.get_by_label("API key")).to_be_visible()
            assert page.get_by_test_id(test_id).count() == 0
        browser.close()
