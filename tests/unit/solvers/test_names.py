"""Names of columns and rows, files, and curtailed sun in the matrix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import highspy
import numpy as np
import pytest

from solvers import EngineUnavailable, Phasors, PolicyWeights, SolveOptions, named, solve
from solvers import export as export_module
from solvers.formulation import build
from solvers.layout import Facets
from solvers.program import LinearProgram
from tests.support.parts import a_battery, a_car, a_demand_charge
from tests.support.problems import a_problem


def _keys(program: LinearProgram) -> dict[str, int]:
    return dict(zip(program.name_columns(), program.key_columns().tolist(), strict=True))


def _row_keys(program: LinearProgram) -> dict[str, int]:
    return dict(zip(program.name_rows(), program.key_rows().tolist(), strict=True))


def test_a_plain_problem_has_plain_names() -> None:
    found = named(
        a_problem(power_max_kw=[[5, 0]], need_kwh=[3], first_step=10, options=PolicyWeights(n_shortfall_segments=2))
    )
    assert found.columns == ("p[s0,10]", "u[s0,0]", "u[s0,1]", "up[s0]", "down[s0]")
    assert found.rows == ("energy[s0]", "change[s0]")


def test_every_part_has_its_names_in_absolute_steps() -> None:
    problem = a_problem(
        power_max_kw=[[0, 5], [5, 0]],
        need_kwh=[3, 2],
        room_kwh=np.array([9.0, 4.0]),
        first_step=10,
        power_min_kw=np.array([0.0, 1.0]),
        row_limit=[[4, 9]],
        row_soft_price=np.array([2.0]),
        pv_kw=np.array([0.0, 1.0]),
        tracked=a_car(0, 1.0, [0, 2], taper_kw=np.array([[np.inf, 7.0]]), taper_per_kwh=np.zeros((1, 2))),
        batteries=a_battery(n_rows=1),
        demand=replace(a_demand_charge(2), holds=np.array([[0.0, 1.0]])),
        phasors=Phasors(names=("line",), coef=[[1, 1]], base_a=[[0, 0]], limit_a=[[3, 3]]),
        options=PolicyWeights(n_shortfall_segments=1),
    )
    facets = Facets(limit=np.array([0, 0]), step=np.array([0, 1]), side=np.array([31, 2]))
    program, _ = build(problem, facets, n_exact_steps=1)
    site = [f"{letter}[{t}]" for letter in "gxc" for t in (10, 11)]
    battery = [f"{flow}[house,{t}]" for flow in ("charge", "discharge", "stored") for t in (10, 11)]
    assert program.name_columns() == (
        *("p[s0,11]", "p[s1,10]", "d[s0,11]", "E[s0,11]", "u[s0,0]", "u[s1,0]"),
        *(*site, *battery, "peak[month]", "up[s1]", "down[s1]", "o[row0,10]", "on[s1,10]"),
    )
    assert program.name_rows() == (
        *("balance[10]", "balance[11]", "energy[s0]", "energy[s1]", "room[s1]", "storage[s0,11]", "taper[s0,1,11]"),
        *("battery[house,10]", "battery[house,11]", "row0[10]", "line[10,31]", "line[11,2]", "peak[month,11]"),
        *("change[s1]", "most[s1,10]", "least[s1,10]"),
    )
    for names, keys in ((program.name_columns(), program.key_columns()), (program.name_rows(), program.key_rows())):
        assert len(names) == len(keys) == len(set(keys.tolist()))
    back = Facets(limit=facets.limit, step=facets.step[:1] + 1, side=facets.side[:1])
    later, _ = build(replace(problem, first_step=9), replace(back, limit=facets.limit[:1]), n_exact_steps=2)
    for before, after in ((_keys(program), _keys(later)), (_row_keys(program), _row_keys(later))):
        same = set(before) & set(after)
        assert len(same) >= 7
        assert {name: before[name] for name in same} == {name: after[name] for name in same}


def test_a_key_says_what_a_column_is_and_outlives_the_tick() -> None:
    """The column of a car's later step has the same key when the horizon has moved on by one step."""
    problem = a_problem(power_max_kw=[[5, 5, 5]], need_kwh=[3], power_min_kw=np.array([1.0]))
    before, _ = build(problem, n_exact_steps=3)
    after, _ = build(replace(problem, first_step=1), n_exact_steps=3)
    keys = [dict(zip(p.name_columns(), p.key_columns().tolist(), strict=True)) for p in (before, after)]
    assert keys[0]["p[s0,2]"] == keys[1]["p[s0,2]"]
    assert keys[0]["on[s0,1]"] == keys[1]["on[s0,1]"]
    assert keys[0]["p[s0,1]"] != keys[0]["p[s0,2]"]
    rows = [dict(zip(p.name_rows(), p.key_rows().tolist(), strict=True)) for p in (before, after)]
    assert rows[0]["least[s0,2]"] == rows[1]["least[s0,2]"] != rows[0]["most[s0,2]"]


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_whole_numbers_are_kept_in_the_file(tmp_path: Path, suffix: str) -> None:
    problem = a_problem(power_max_kw=[[10], [10]], need_kwh=[10, 10], row_limit=[[7]], power_min_kw=np.array([4.0, 4.0]))
    path = tmp_path / f"site{suffix}"
    named(problem, n_exact_steps=1).write(path)
    reader = highspy.Highs()
    reader.silent()
    reader.readModel(str(path))
    reader.run()
    exact, relaxed = solve(problem, options=SolveOptions(n_exact_steps=1)), solve(problem)
    assert reader.getInfo().objective_function_value == pytest.approx(1000.0 * exact.objective_money, rel=1e-6)
    assert exact.objective_money > relaxed.objective_money + 1e-6
    assert "on_s1_0" in path.read_text()


def test_without_highspy_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "find_spec", lambda _: None)
    path = tmp_path / "site.lp"
    with pytest.raises(EngineUnavailable, match="install 'highspy'"):
        named(a_problem(power_max_kw=[[1]], need_kwh=[1])).write(path)
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    found = named(a_problem(power_max_kw=[[1]], need_kwh=[1]))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        found.write(tmp_path / "nowhere" / "site.lp")
    (tmp_path / "folder.mps").mkdir()
    with pytest.raises(IsADirectoryError, match="folder"):
        found.write(tmp_path / "folder.mps")


def test_a_model_that_highs_does_not_write_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highspy.Highs, "writeModel", lambda *_: highspy.HighsStatus.kError)
    with pytest.raises(OSError, match=r"site.lp: the model could not be written"):
        named(a_problem(power_max_kw=[[1]], need_kwh=[1])).write(tmp_path / "site.lp")


# -- curtailed sun -----------------------------------------------------------------------------------------------------


def test_sun_is_curtailed_only_as_far_as_the_row_that_counted_on_it_allows() -> None:
    """Export costs money, so 6 of 10 kW would be curtailed; the row has room for 5."""
    problem = a_problem(
        power_max_kw=[[4]],
        need_kwh=[4],
        pv_kw=np.array([10.0]),
        row_limit=[[9]],
        curtail_coef=np.array([[1.0]]),
        import_price_per_kwh=np.array([0.1]),
        export_price_per_kwh=np.array([-0.2]),
    )
    assert solve(problem).curtailed_kw == pytest.approx([5.0])
    assert solve(replace(problem, row_limit=np.array([[20.0]]))).curtailed_kw == pytest.approx([6.0])
