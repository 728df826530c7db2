"""The page of fault tests has a row for every entry and names tests that exist; the promises can be broken."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from loadmgr.control.rows import balanced
from loadmgr.domain.ids import NodeId
from tests.support.faulty_site import FaultySite, beside_two

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "faults.md"
ENTRIES = {
    *(f"A{n:02}" for n in range(1, 19)),
    *(f"B{n:02}" for n in range(1, 31)),
    *(f"G{n:02}" for n in (*range(1, 9), 14, 28)),
    "E-15",
}
ELSEWHERE = frozenset({"A17"})
"""Entries that do not apply to this service; their row says why."""


def _rows() -> dict[str, str]:
    return {found[1]: found[0] for found in re.finditer(r"^\| ([ABG]\d\d|E-15) \|.*$", PAGE.read_text(), re.M)}


def _named() -> list[tuple[str, str]]:
    """(file, test) in the order of the page; an empty test where only the file is named."""
    found, file = [], ""
    for name in re.findall(r"`([^`]+)`", PAGE.read_text()):
        if name.endswith(".py"):
            file = name.rpartition("/")[2]
        elif name.startswith("test_"):
            found.append((file, name))
    return found


def test_every_entry_has_a_row_with_a_test_or_a_reason() -> None:
    rows = _rows()
    assert rows.keys() == ENTRIES
    for entry, row in rows.items():
        if entry in ELSEWHERE:
            assert "not applicable" in row
        else:
            assert "`test_" in row, entry
            assert row.endswith(("| fast |", "| fast and slow |")), entry


def test_every_test_that_the_page_names_exists_where_it_says() -> None:
    for file, name in _named():
        assert f"def {name}(" in (ROOT / "tests" / "faults" / file).read_text(), f"{file} has no {name}"


def test_every_fault_test_is_on_the_page_in_the_rows_of_its_ids() -> None:
    rows = _rows()
    for place in sorted((ROOT / "tests" / "faults").glob("test_[abg]_*.py")):
        for name in re.findall(r"^def (test_\w+)\(", place.read_text(), re.M):
            ids = [i.upper() for i in re.findall(r"(?<=_)[abg]\d\d(?=_)", name)]
            assert all(f"`{name}`" in rows[i] for i in ids), name
            assert any(f"`{name}`" in row for row in rows.values()), f"{place.name}: {name}"


async def _house_draws_too_much(site: FaultySite) -> None:
    site.world._base[NodeId("grid")] = balanced(40.0, 230.0)
    site.world.changed()
    site.look()


async def _somebody_logs_an_exception(site: FaultySite) -> None:
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.05)


async def _an_answer_is_held_up(site: FaultySite) -> None:
    site.answers_s.append(60.0)


async def _a_tick_is_late(site: FaultySite) -> None:
    site.worst_tick_s = 600.0


async def _a_link_is_lost(site: FaultySite) -> None:
    await site.good[0].uplink.close()
    await asyncio.sleep(1.0)


async def _energy_is_missing(site: FaultySite) -> None:
    site.good[0].outlet.energy_wh += 50_000.0  # the meter counted what the record cannot hold


@pytest.mark.parametrize(
    "breaks",
    [
        _house_draws_too_much,
        _somebody_logs_an_exception,
        _an_answer_is_held_up,
        _a_tick_is_late,
        _a_link_is_lost,
        _energy_is_missing,
    ],
)
def test_a_promise_that_is_broken_fails_the_test(tmp_path: Path, breaks: Callable[[FaultySite], Awaitable[None]]) -> None:
    """The counter-example to every test here: the harness sees what it promises to see."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            await breaks(site)

    with pytest.raises(AssertionError):
        asyncio.run(play())
