"""Settings → a running service: the only place that knows which parts go together."""

from __future__ import annotations

import asyncio
import importlib
import logging
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from loadmgr.errors import SettingsError
from loadmgr.ocpp.gateway import Gateway
from loadmgr.pauses import short_pauses
from loadmgr.ports import Clock
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.storage.store import SqlStore

log = logging.getLogger(__name__)

WEB_APP = "api.app"
"""The web application is found by name, because nothing here may import the outermost layer."""


def build_manager(settings: Settings, *, clock: Clock | None = None) -> LoadManager:
    """A manager on the database of the settings; it starts when it is entered."""
    return LoadManager(settings, store=SqlStore(settings.storage_url), clock=clock)


@asynccontextmanager
async def gateway_of(manager: LoadManager) -> AsyncIterator[Gateway | None]:
    """The OCPP gateway of a running manager, if its settings say where to listen."""
    settings = manager.settings
    manager.security.use(settings.ocpp.security)
    if settings.ocpp.listen is None and settings.ocpp.tls is None:
        yield None
        return
    gateway = Gateway(settings.ocpp, manager, manager.state.params, manager.remembered)
    manager.link = gateway
    async with gateway:
        yield gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service that runs: the manager, its gateway, the address of the web application and the operator's key."""

    manager: LoadManager
    gateway: Gateway | None
    url: str
    api_key: str


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


@asynccontextmanager
async def running(settings: Settings, *, clock: Clock | None = None, dashboard: bool = True) -> AsyncIterator[Running]:
    """The whole service: storage, loops, gateway, API and dashboard. Stops everything on leaving."""
    key = settings.api.key or secrets.token_urlsafe(24)
    async with short_pauses(), build_manager(settings, clock=clock) as manager, gateway_of(manager) as gateway:
        app: Any = importlib.import_module(WEB_APP).create_app(manager, key=key, dashboard=dashboard)
        config = uvicorn.Config(
            app,
            host=settings.api.listen.host,
            port=settings.api.listen.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            ws="websockets-sansio",
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(), name="api")
        while not server.started:
            if serving.done():
                await serving
                raise RuntimeError("the API server ended before it started")
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield Running(manager=manager, gateway=gateway, url=f"http://{settings.api.listen.host}:{port}", api_key=key)
        finally:
            server.should_exit = True
            await serving


async def run_service(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM; chargers are left with setpoints that expire into their fail-safe [F16]."""
    stop, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    loop.add_signal_handler(signal.SIGHUP, again.set)
    async with running(settings) as service:
        log.info("serving", extra={"api": service.url, "site": settings.name})
        if settings.api.key is None:
            print(f"API key of this run: {service.api_key}", flush=True)  # noqa: T201 the operator must see it once
        reloading = asyncio.create_task(_reloading(service, settings, again), name="reload")
        await stop.wait()
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)


async def _reloading(service: Running, settings: Settings, again: asyncio.Event) -> None:
    """At each SIGHUP: certificates, revocation lists and addresses of the gateway anew; links live on."""
    while True:
        await again.wait()
        again.clear()
        await reload(service, settings)


async def reload(service: Running, settings: Settings) -> bool:
    """Read the site file of ``settings`` again and take what may change while links are open; ``True``: it was taken.

    With a mistake in the file, a certificate that cannot be used or an address that is taken, all stays as it is, and the
    log names each problem [F15].
    """
    try:
        found = Settings.load(settings.path)
        if service.gateway is not None:
            await service.gateway.reload(found.ocpp)
    except SettingsError as error:
        for problem in error.problems:
            log.error("not reloaded", extra={"file": str(settings.path), "key": problem.key, "reason": problem.problem})
        return False
    except OSError as error:
        log.error("not reloaded", extra={"file": str(settings.path), "reason": str(error)})
        return False
    if found.digest != settings.digest:
        log.warning("reloaded in part", extra={"reason": "other changes of the site file take effect after a restart"})
    log.info("reloaded", extra={"file": str(settings.path)})
    return True
