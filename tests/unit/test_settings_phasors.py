"""Site files with transformers and EVSEs between lines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.network import NodeModel
from loadmgr.errors import SettingsError
from loadmgr.settings import Settings
from tests.support.days import EXAMPLES

CAMPUS = (EXAMPLES / "campus_208v.toml").read_text().replace('series = "data/', f'series = "{EXAMPLES}/data/')


def _load(folder: Path, *changes: tuple[str, str]) -> Settings:
    text = CAMPUS
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    place = folder / "site.toml"
    place.write_text(text)
    return Settings.load(place)


def test_a_charger_between_two_lines_has_the_voltage_between_them(tmp_path: Path) -> None:
    """[A-72]: nominal line to neutral at its node, times √3."""
    site = _load(tmp_path).context.site
    assert site.voltage_at(NodeId("service")) == 277.0
    assert site.voltage_at(NodeId("garage")) == pytest.approx(120.0, abs=0.001)
    evse = site.evses[EvseId("CA-308/1")]
    assert evse.rotation == "RS"
    assert evse.caps.voltage_v == pytest.approx(120.0 * math.sqrt(3.0), abs=0.001)
    assert evse.phases_of(1) == (0, 1)
    assert site.nodes[NodeId("garage")].model is NodeModel.POLYGON
    silent = ("failsafe_a = 6", "failsafe_a = 0")
    assert _load(tmp_path, silent, ('model = "polygon"\n', "")).context.site.nodes[NodeId("garage")].model is NodeModel.SUM


def test_an_unknown_pair_is_a_rotation(tmp_path: Path) -> None:
    site = _load(
        tmp_path, ('rotation = "TR"', 'rotation = "unknown-pair"'), ("failsafe_a = 6", "failsafe_a = 0")
    ).context.site
    evse = site.evses[EvseId("CA-309/1")]
    assert evse.is_line_to_line
    assert evse.phases_of(1) == (0, 1, 2)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("phases = 1", "phases = 3", "'RS' does not name 3 phase(s)"),
        ('rotation = "RS"', 'rotation = "SR"', "RS"),
        ('model = "polygon"', 'model = "circle"', "polygon"),
        ("ratio = 2.308333", "ratio = 0", "greater than 0"),
        ('kind = "delta-wye"', 'kind = "wye-wye"', "delta-wye"),
        ('source = "service"', 'source = "service"\ntransformer = { ratio = 2 }', "and there is none"),
        ("failsafe_a = 6", "failsafe_a = 12", "at most, as phasors,"),
        ("current_max_a = 32", "current_max_a = 32\ndischarge_max_kw = 5", "set discharge_max_kw = 0"),
    ],
)
def test_a_mistake_names_itself(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _load(tmp_path, (old, new))
    assert words in str(caught.value)
