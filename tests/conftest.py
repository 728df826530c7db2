"""Shared fixtures, and the rule that CI skips nothing for a missing tool."""

from __future__ import annotations

import os
from collections.abc import Generator
from datetime import UTC, datetime

import pytest

NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)

ALONE = ("tests/browser/", "tests/interop/", "tests/scenario/test_kill.py", "tests/contract/test_stores.py")
"""Real time, one folder of Node packages, one database server: ``make test`` runs these after the rest, one by one."""


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Mark what must not run beside other tests; begin with what takes longest, so that no core waits for it at the end."""
    for item in items:
        if item.nodeid.startswith(ALONE):
            item.add_marker("alone")
    yield
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI set, a skip is a failure: ``.ci/run`` installs whatever a test may need."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {report.longrepr}"
    return report


@pytest.fixture
def noon() -> datetime:
    """A fixed time."""
    return NOON
