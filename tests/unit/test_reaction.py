"""The judge of overloads can see them (domain rule F.5)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loadmgr.domain.ids import NodeId
from loadmgr.sim.world import Moment
from tests.support.builders import NOON, a_site
from tests.support.reaction import overloads

GRID = NodeId("grid")


def _moments(*spells: tuple[float, float]) -> list[Moment]:
    """(A on L1, for how many seconds)."""
    found, at = [], NOON
    for current_a, lasted_s in spells:
        found.append(Moment(at=at, loads={GRID: ((current_a, 0.0, 0.0), current_a * 0.23)}))
        at += timedelta(seconds=lasted_s)
    found.append(Moment(at=at, loads={GRID: ((0.0, 0.0, 0.0), 0.0)}))
    return found


@pytest.mark.parametrize(
    ("spells", "multiples"),
    [
        (((100.0, 3600.0),), []),
        (((104.0, 119.0),), []),
        (((104.0, 121.0),), [1.0]),
        (((110.0, 61.0),), [1.05]),
        (((120.0, 31.0),), [1.13]),
        (((120.0, 29.0), (104.0, 80.0)), []),
        (((120.0, 29.0), (104.0, 100.0)), [1.0]),
        (((150.0, 16.0),), [1.45]),
        (((250.0, 11.0),), [2.0]),
        (((250.0, 9.0), (90.0, 1.0), (250.0, 9.0)), []),
    ],
)
def test_overloads_are_found_where_they_last_too_long(
    spells: tuple[tuple[float, float], ...], multiples: list[float]
) -> None:
    found = overloads(a_site(fuse_a=100.0), _moments(*spells))
    assert [o.multiple for o in found if o.where == "grid/L1"] == multiples
