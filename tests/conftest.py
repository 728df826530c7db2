"""Shared fixtures, and the rule that CI skips nothing for a missing tool."""

from __future__ import annotations

import os
from collections.abc import Generator
from datetime import UTC, datetime

import pytest

NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)

collect_ignore = [] if os.environ.get("LOADMGR_SOAK") else ["scenario/test_real_day.py"]
"""The whole real day takes more minutes than a run of all tests has to spare; ``make soak`` runs it."""


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
