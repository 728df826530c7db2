"""Sign-in, and who may see which page."""

from __future__ import annotations

import secrets

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui

from api.auth import AccessError, Keys
from api.dashboard.chargers import Chargers
from api.dashboard.frame import STYLE
from api.dashboard.overview import Overview
from api.dashboard.plan import DayAhead
from loadmgr.runtime import LoadManager


def mount(app: FastAPI, manager: LoadManager, keys: Keys) -> None:
    """Add the dashboard to an application. Sign-ins last until the service restarts."""

    signed_in: set[str] = set()  # browsers; in memory, so a restart signs everybody out

    @ui.page("/sign-in", title="loadmgr · sign in")
    def sign_in() -> None:
        _sign_in(manager, keys, signed_in)

    @ui.page("/", title=f"loadmgr · {manager.settings.name}")
    def home() -> None:
        if nicegui_app.storage.browser["id"] not in signed_in:
            ui.navigate.to("/sign-in")
            return
        ui.add_css(STYLE)
        Overview(manager).build()

    @ui.page("/plan", title=f"loadmgr · {manager.settings.name} · the day ahead")
    def day_ahead() -> None:
        if nicegui_app.storage.browser["id"] not in signed_in:
            ui.navigate.to("/sign-in")
            return
        ui.add_css(STYLE)
        DayAhead(manager).build()

    @ui.page("/chargers", title=f"loadmgr · {manager.settings.name} · chargers")
    def chargers(station: str = "") -> None:
        if nicegui_app.storage.browser["id"] not in signed_in:
            ui.navigate.to("/sign-in")
            return
        ui.add_css(STYLE)
        Chargers(manager, station).build()

    ui.run_with(app, storage_secret=secrets.token_urlsafe(32), language="en-US", show_welcome_message=False)


def _sign_in(manager: LoadManager, keys: Keys, signed_in: set[str]) -> None:
    ui.add_css(STYLE)
    browser: str = nicegui_app.storage.browser["id"]

    def attempt() -> None:
        address = ui.context.client.ip or ""
        try:
            keys.actor(field.value, address)
        except AccessError as error:
            message.set_text(error.detail.replace("; send the right one in the header X-API-Key", ""))
            return
        signed_in.add(browser)
        ui.navigate.to("/")

    with ui.column().classes("absolute-center items-center"), ui.column().classes("panel w-96 max-w-full"):
        ui.label(manager.settings.name).classes("text-xl font-semibold")
        ui.label("The API key was printed when the service started.").classes("unit")
        field = ui.input("API key", password=True).classes("w-full").on("keydown.enter", attempt)
        field.props('autofocus autocomplete="current-password"')
        message = ui.label("").classes("bad").props('role="alert"')
        ui.button("Sign in", on_click=attempt).classes("w-full").props("color=blue-grey-8")
