"""Health for supervisors and metrics for Prometheus. Health needs no key and tells nothing about the site."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.deps import Manager, Metrics, Viewer
from api.errors import ProblemRoute
from api.schemas import HealthOut

router = APIRouter(tags=["health"], route_class=ProblemRoute)


@router.get("/health/live")
async def live(manager: Manager, response: Response) -> HealthOut:
    """200 while the protect loop turns; a supervisor restarts the service on 503."""
    is_live = manager.health().is_live
    response.status_code = 200 if is_live else 503
    return HealthOut(ok=is_live, reasons=[] if is_live else ["the protect loop does not turn"])


@router.get("/health/ready")
async def ready(manager: Manager, response: Response) -> HealthOut:
    """200 while the service can be relied on; 503 names no details, the key's holder finds them under /metrics."""
    health = manager.health()
    response.status_code = 200 if health.is_ready else 503
    degraded = ["storage does not take writes"] if health.storage_degraded else []
    return HealthOut(
        ok=health.is_ready, reasons=[*degraded, *([] if health.is_live else ["the protect loop does not turn"])]
    )


@router.get("/metrics")
async def metrics(registry: Metrics, _: Viewer) -> Response:
    """Prometheus metrics."""
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
