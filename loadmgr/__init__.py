"""Smart charging and load management for electric-vehicle sites. This is the public surface; see docs/reference."""

from loadmgr.clock import RealClock
from loadmgr.control.controller import Controller
from loadmgr.control.guard import violations
from loadmgr.control.promise import Promise
from loadmgr.control.replay import replay
from loadmgr.control.view import evse_views, node_loads
from loadmgr.domain import commands, events, profiles
from loadmgr.domain.composite import Composite, composite
from loadmgr.domain.der import DerControl
from loadmgr.domain.grid import GridRequest, GridRequestKind
from loadmgr.domain.limits import Limit, LimitKind
from loadmgr.domain.plan import Plan, Setpoint, Violation
from loadmgr.domain.samples import Measured
from loadmgr.domain.session import Session, SessionIntent
from loadmgr.errors import LoadManagerError, NotFoundError, SettingsError, SiteModelError, StorageError
from loadmgr.grid_service import GridService
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.storage.store import SqlStore

__all__ = [
    "Composite",
    "Controller",
    "DerControl",
    "GridRequest",
    "GridRequestKind",
    "GridService",
    "Limit",
    "LimitKind",
    "LoadManager",
    "LoadManagerError",
    "Measured",
    "NotFoundError",
    "Plan",
    "Promise",
    "RealClock",
    "Session",
    "SessionIntent",
    "Setpoint",
    "Settings",
    "SettingsError",
    "SiteModelError",
    "SqlStore",
    "StorageError",
    "Violation",
    "commands",
    "composite",
    "events",
    "evse_views",
    "node_loads",
    "profiles",
    "replay",
    "violations",
]
