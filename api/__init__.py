"""HTTP API and dashboard on a running ``LoadManager``."""

from api.app import create_app, create_router

__all__ = ["create_app", "create_router"]
