"""Engines by name: built in, plugged in, missing."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from solvers import EngineUnavailable, Features, SolverError, Status, features, is_available, names, registry, solve
from solvers.engines.highs_engine import HighsEngine
from solvers.engines.pulp_engine import PulpEngine
from tests.support.problems import a_problem


@pytest.fixture
def _plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two engines by entry point; one of them takes a built-in name."""

    def found(*, group: str) -> tuple[EntryPoint, ...]:
        assert group == "loadmgr.engines"
        return (
            EntryPoint("highs", "solvers.engines.pulp_engine:PulpEngine", group),
            EntryPoint("other", "nowhere:Nothing", group),
            EntryPoint("mine", "solvers.engines.pulp_engine:PulpEngine", group),
        )

    monkeypatch.setattr(registry, "entry_points", found)


@pytest.mark.usefixtures("_plugged")
def test_an_engine_by_entry_point_is_known_and_solves() -> None:
    assert names() == ("highs", "pulp", "other", "mine")
    assert is_available("mine")
    assert features("mine") == Features(integers=True)
    assert isinstance(registry.load("mine"), PulpEngine)
    solution = solve(a_problem(power_max_kw=[[5]], need_kwh=[3]), "mine")
    assert (solution.status, solution.engine, solution.power_kw.tolist()) == (Status.OPTIMAL, "mine", [[3.0]])


@pytest.mark.usefixtures("_plugged")
def test_a_built_in_name_cannot_be_taken() -> None:
    assert isinstance(registry.load("highs"), HighsEngine)


@pytest.mark.usefixtures("_plugged")
def test_an_unknown_name_lists_the_plugged_engines_too() -> None:
    assert not is_available("yours")
    with pytest.raises(SolverError, match="'yours' is unknown; known engines: highs, pulp, other, mine"):
        registry.load("yours")


@pytest.mark.parametrize(("name", "package"), [("highs", "highspy"), ("pulp", "pulp")])
def test_a_missing_package_is_named_and_its_features_are_still_known(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    known = features(name)
    asked: list[str] = []
    monkeypatch.setattr(registry, "find_spec", asked.append)
    assert not is_available(name)
    with pytest.raises(EngineUnavailable, match=f"engine '{name}' is not available: install '{package}'") as caught:
        registry.load(name)
    assert (caught.value.engine, caught.value.package) == (name, package)
    assert features(name) == known
    assert asked == [package, package]
