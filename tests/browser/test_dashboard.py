"""The dashboard in headless Chromium: it shows live values change, and hostile text as text [G15]."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, MeterId, SessionId, StationId
from loadmgr.domain.samples import Measured
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


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    """One service for all tests here: NiceGUI serves one application per process."""
    folder = tmp_path_factory.mktemp("web")
    loaded = on_any_port(Settings.load(EXAMPLES / "office.toml"), f"sqlite:///{folder / 'web.db'}")
    with Background(replace(loaded, ocpp=replace(loaded.ocpp, listen=None))) as found:
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


def test_nobody_sees_the_site_without_signing_in(background: Background) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as tool:
        assert background.service is not None
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page()
        page.goto(background.service.url)
        expect(page.get_by_label("API key")).to_be_visible()
        assert page.get_by_test_id("site-power").count() == 0
        browser.close()
