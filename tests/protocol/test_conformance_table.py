"""The page of conformance tests names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "conformance.md"


def _named() -> list[tuple[str, str]]:
    """(file, test) in the order of the page; an empty test where a whole file is meant."""
    found, file = [], ""
    for name in re.findall(r"`([^`]+)`", PAGE.read_text()):
        if name.endswith(".py"):
            file = name
            found.append((file, ""))
        elif name.startswith("test_"):
            found.append((file, name))
    return found


def test_every_test_that_the_page_names_exists_where_it_says() -> None:
    named = _named()
    assert len(named) > 80
    for file, name in named:
        assert f"def {name}(" in (ROOT / "tests" / file).read_text() or not name, f"{file} has no {name}"


def test_every_conformance_test_is_on_the_page() -> None:
    on_page = {name for _, name in _named()}
    for place in sorted((ROOT / "tests" / "protocol").glob("test_conformance_*.py")):
        for name in re.findall(r"^def (test_i\d+_\w+)\(", place.read_text(), re.M):
            assert name in on_page, f"{place.name}: {name}"
