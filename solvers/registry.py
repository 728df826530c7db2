"""Engines by name. Import happens on use; asking for availability imports nothing."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from types import MappingProxyType

from solvers.engine import Engine, Features
from solvers.errors import EngineUnavailable, SolverError

ENGINES = MappingProxyType(
    {
        "highs": ("solvers.engines.highs_engine:HighsEngine", "highspy"),
        "pulp": ("solvers.engines.pulp_engine:PulpEngine", "pulp"),
    }
)
"""name → (module:class, package it needs)."""

FEATURES = MappingProxyType({"highs": Features(integers=True, warm_start=True, duals=True), "pulp": Features(integers=True)})
"""What the built-in engines can do, known without importing them; a test compares it with the engines."""

GROUP = "loadmgr.engines"


def names() -> tuple[str, ...]:
    """Every engine that is known, built in or by entry point."""
    return (*ENGINES, *(e.name for e in entry_points(group=GROUP) if e.name not in ENGINES))


def is_available(name: str) -> bool:
    """True when the engine's package is installed; nothing is imported. An unknown name is not available."""
    if name in ENGINES:
        return find_spec(ENGINES[name][1]) is not None
    return any(e.name == name for e in entry_points(group=GROUP))


def features(name: str) -> Features:
    """What an engine can do. A built-in engine is not imported for that, a plugged-in one is.

    Raises as ``load``.
    """
    return FEATURES[name] if name in FEATURES else load(name).features


def load(name: str) -> Engine:
    """The engine of this name. Raises ``EngineUnavailable``, or ``SolverError`` for an unknown name."""
    if name in ENGINES:
        target, package = ENGINES[name]
        if find_spec(package) is None:
            raise EngineUnavailable(name, package)
        module, _, attribute = target.partition(":")
        engine: Engine = getattr(import_module(module), attribute)()
        return engine
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            plugged: Engine = entry.load()()
            return plugged
    raise SolverError(f"engine {name!r} is unknown; known engines: {', '.join(names())}")
