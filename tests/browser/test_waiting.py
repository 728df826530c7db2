"""The page of chargers tells who knocks without being known, whatever the stranger writes."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import shutil
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from loadmgr.settings import Settings
from loadmgr.sim.scenario import on_any_port
from loadmgr.wiring import running
from tests.support.days import EXAMPLES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
HOSTILE = '<img src=x onerror="document.title=1">'

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: install the package chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def _child(folder: str, pipe: Connection) -> None:
    asyncio.run(_serve(Path(folder), pipe))


async def _serve(folder: Path, pipe: Connection) -> None:
    loaded = on_any_port(Settings.load(EXAMPLES / "office.toml"), f"sqlite:///{folder / 'web.db'}")
    settings = replace(loaded, ocpp=replace(loaded.ocpp, waiting_room="hold"))
    async with running(settings) as service:
        assert service.gateway is not None
        pipe.send((service.url, service.api_key, service.gateway.port))
        await asyncio.to_thread(pipe.recv)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, str, int]]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(str(tmp_path), theirs), daemon=True)
    process.start()
    assert ours.poll(60), "the service did not start"
    yield ours.recv()
    ours.send(None)
    process.join(20)
    assert process.exitcode == 0


async def _knock(port: int) -> None:
    """A stranger boots and goes."""
    async with connect(f"ws://127.0.0.1:{port}/ocpp/stranger-7", subprotocols=["ocpp1.6"]) as link:  # type: ignore[list-item]
        boot = {"chargePointVendor": "Acme", "chargePointModel": HOSTILE[:20]}
        await link.send(json.dumps([2, "1", "BootNotification", boot]))
        assert json.loads(await link.recv())[2]["status"] == "Pending"


def test_a_stranger_is_shown_with_what_admits_it(site: tuple[str, str, int]) -> None:
    """[E-20, G15]"""
    from playwright.sync_api import expect, sync_playwright

    url, key, port = site
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{url}/sign-in")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{url}/")
        page.goto(f"{url}/chargers")
        panel = page.get_by_test_id("waiting")
        expect(page.get_by_text("By model")).to_be_visible()
        expect(panel).to_be_hidden()
        worker = multiprocessing.get_context("spawn").Process(target=_stranger, args=(port,))
        worker.start()
        worker.join(20)
        expect(panel).to_contain_text("stranger-7")
        expect(panel).to_contain_text(f"says that it is Acme {HOSTILE[:20]}")
        panel.get_by_text("How to admit it").click()
        expect(panel).to_contain_text('[stations."stranger-7"]')
        assert page.title() != "1"
        browser.close()


def _stranger(port: int) -> None:
    asyncio.run(_knock(port))
