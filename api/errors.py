"""Exceptions → problem+json (RFC 9457) that says what, where, which value and what to do: one table."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.auth import AccessError
from loadmgr.errors import NotFoundError, SiteModelError, StorageError

log = logging.getLogger(__name__)

BODY_MAX = 64 * 1024


def problem(status: int, title: str, detail: str, **extra: Any) -> JSONResponse:
    """A problem document."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    headers = {"WWW-Authenticate": "ApiKey"} if status == 401 else None
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)


def install(app: FastAPI) -> None:
    """Register the table on an application."""

    async def access(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, AccessError)  # registered for it  # noqa: S101
        titles = {401: "Not authenticated", 403: "Not allowed", 429: "Too many tries"}
        return problem(error.status, titles[error.status], error.detail)

    async def not_found(_: Request, error: Exception) -> JSONResponse:
        hint = getattr(error, "hint", "")
        return problem(404, "Not found", str(error), hint=hint)

    async def wrong_model(_: Request, error: Exception) -> JSONResponse:
        return problem(422, "Impossible value", str(error), hint="nothing was changed")

    async def storage(_: Request, error: Exception) -> JSONResponse:
        detail = f"{error}; it is in force but not yet on disk"
        return problem(503, "Storage does not answer", detail, hint="check the database; see /api/v1/health/ready")

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # registered for it  # noqa: S101
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

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # registered for it  # noqa: S101
        return problem(error.status_code, "Error", str(error.detail), hint="see /docs for what exists")

    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        reference = secrets.token_hex(6)
        log.error("unexpected error", extra={"reference": reference, "path": request.url.path}, exc_info=error)
        return problem(500, "Internal error", f"reference {reference}", hint="look for the reference in the log")

    table = (
        (AccessError, access),
        (NotFoundError, not_found),
        (SiteModelError, wrong_model),
        (StorageError, storage),
        (RequestValidationError, invalid),
        (HTTPException, http),
        (Exception, unexpected),
    )
    for kind, handler in table:
        app.add_exception_handler(kind, handler)
