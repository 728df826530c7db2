"""The exception tree. Expected outcomes are values (``Alarm``, ``SetpointAnswered``); an exception means a bug,
a broken environment or wrong configuration.
"""

from __future__ import annotations

from dataclasses import dataclass


class LoadManagerError(Exception):
    """Base of everything that loadmgr raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a configuration: where it is, what is wrong with which value, and what to do about it."""

    key: str
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        tail = f" ({self.hint})" if self.hint else ""
        return f"{self.key}: {self.problem}{tail}"


class SettingsError(LoadManagerError):
    """The site file or the settings are wrong. Carries every problem found, not only the first."""

    def __init__(self, path: str, problems: tuple[Problem, ...]) -> None:
        self.path = path
        self.problems = problems
        count = f"{len(problems)} problem" + ("" if len(problems) == 1 else "s")
        super().__init__("\n".join([f"{path}: {count}", *(f"  {path}: {p}" for p in problems)]))


class SiteModelError(LoadManagerError):
    """Domain objects that contradict each other (an unknown parent, a cycle, a limit that bounds nothing)."""


class ProtocolError(LoadManagerError):
    """A charger or our own code broke OCPP."""

    def __init__(self, *, station: str, action: str, code: str, detail: str) -> None:
        self.station = station
        self.action = action
        self.code = code
        self.detail = detail
        super().__init__(f"station {station!r}, {action}: {code}: {detail}")


class StorageError(LoadManagerError):
    """The database cannot do what the service must rely on."""


class NotFoundError(LoadManagerError):
    """An id that the caller gave is not known here."""

    def __init__(self, what: str, value: str, hint: str = "") -> None:
        self.what = what
        self.value = value
        self.hint = hint
        super().__init__(f"{what} {value!r} does not exist" + (f" ({hint})" if hint else ""))
