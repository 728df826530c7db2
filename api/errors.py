"""Exceptions → problem+json (RFC 9457) that says what, where, which value and what to do: one table."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Coroutine
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.auth import AccessError
from loadmgr.errors import NotFoundError, SiteModelError, StorageError
from solvers import SolverError

log = logging.getLogger(__name__)

BODY_MAX = 64 * 1024
EXPECTED = (AccessError, NotFoundError, SiteModelError, SolverError, StorageError, RequestValidationError)
"""What a route answers itself; anything else is a bug and belongs to the application around it."""

_ACCESS_TITLES = MappingProxyType({401: "Not authenticated", 403: "Not allowed", 429: "Too many tries"})


def problem(status: int, title: str, detail: str, **extra: Any) -> JSONResponse:
    """A problem document."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    headers = {"WWW-Authenticate": "ApiKey"} if status == 401 else None
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)


def as_problem(error: Exception, path: str) -> JSONResponse:
    """The table: what the caller is told about an exception. Of an unexpected one only a reference into the log."""
    match error:
        case AccessError():
            return problem(error.status, _ACCESS_TITLES[error.status], error.detail)
        case NotFoundError():
            return problem(404, "Not found", str(error), hint=error.hint)
        case SolverError():
            return problem(
                503, "The solver gave no answer", str(error), hint="try again; see /api/v1/plan for the plan in force"
            )
        case SiteModelError():
            return problem(422, "Impossible value", str(error), hint="nothing was changed")
        case StorageError():
            detail = f"{error}; it is in force but not yet on disk"
            return problem(503, "Storage does not answer", detail, hint="check the database; see /api/v1/health/ready")
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return problem(error.status_code, "Error", str(error.detail), hint="see /docs for what exists")
        case _:
            reference = secrets.token_hex(6)
            log.error("unexpected error", extra={"reference": reference, "path": path}, exc_info=error)
            return problem(500, "Internal error", f"reference {reference}", hint="look for the reference in the log")


def _invalid(error: RequestValidationError) -> JSONResponse:
    errors = [
        {
            "where": ".".join(str(p) for p in item["loc"]),
            "problem": item["msg"].removeprefix("Value error, "),
            "value": repr(item.get("input"))[:100],
        }
        for item in error.errors()
    ]
    detail = "; ".join(f"{e['where']}: {e['problem']}" for e in errors)
    return problem(422, "Invalid request", detail, errors=errors, hint="nothing was changed")


class ProblemRoute(APIRoute):
    """A route that answers exceptions by the table, in whatever application it is mounted."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with the table around it."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except EXPECTED as error:
                return as_problem(error, request.url.path)

        return guarded


def install(app: FastAPI) -> None:
    """Answer also what no route of ours handles: unknown paths, errors of pages."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return as_problem(error, request.url.path)

    for kind in (RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)
