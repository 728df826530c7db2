"""The web application: ``create_app`` for the service, ``create_router`` for a host that has its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from api import errors
from api.deps import Service
from api.routes import (
    chargers,
    energy,
    events,
    grid,
    health,
    limits,
    plans,
    probe,
    reservations,
    security,
    sessions,
    sites,
    stations,
)
from loadmgr.runtime import LoadManager

PREFIX = "/api/v1"
_ROUTERS = (
    sites.router,
    stations.router,
    probe.router,
    sessions.router,
    reservations.router,
    limits.router,
    chargers.router,
    security.router,
    grid.router,
    plans.router,
    energy.router,
    events.router,
    health.router,
)


def create_router(manager: LoadManager, *, key: str, viewer_key: str | None = None) -> APIRouter:
    """All routes of one site, for the FastAPI application of a host: ``app.include_router(router, prefix="/load")``.

    It needs nothing else of the application: keys, metrics and the table of errors come with it. ``key`` may change
    things, ``viewer_key`` may only look.
    """
    return _routes(Service.of(manager, key, viewer_key))


def _routes(service: Service) -> APIRouter:
    router = APIRouter()
    for part in _ROUTERS:
        router.include_router(part, dependencies=[Depends(service.provider())])
    return router


def create_app(manager: LoadManager, *, key: str, dashboard: bool = True) -> FastAPI:
    """The service's application: API under ``/api/v1``, its description under ``/docs``, the dashboard at ``/``."""
    app = FastAPI(
        title="loadmgr",
        version="1",
        description="Load management of one charging site. Currents are A per phase, import is positive, times are UTC.",
        redoc_url=None,
    )
    errors.install(app)
    service = Service.of(manager, key, manager.settings.api.viewer_key)
    app.include_router(_routes(service), prefix=PREFIX)
    app.middleware("http")(_bounded)
    if dashboard:
        from api.dashboard.pages import mount

        mount(app, manager, service.keys)
    return app


async def _bounded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse large bodies before they are read, and name what browsers must not do [G24]."""
    length = request.headers.get("content-length", "0")
    if request.url.path.startswith(PREFIX) and (not length.isdecimal() or int(length) > errors.BODY_MAX):
        return errors.problem(413, "Too large", f"a body may have {errors.BODY_MAX} bytes", hint="send less")
    response = await call_next(request)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response
