"""What is known of a charger before and while it speaks: rule files, the site file, and what was observed.

A rule says which products differ from the standard, how, and where that was seen (domain rule G). Later rules win.
What a charger claims of itself stands below the rules, what it was seen to do above them [A-40], and the site file has
the last word.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from loadmgr.domain.events import TraitsKnown
from loadmgr.domain.traits import Expiry, Kind, Purpose, Traits, Zero
from loadmgr.errors import Problem, SettingsError
from loadmgr.ocpp.detect import Finding
from loadmgr.sitefile.build import did_you_mean
from loadmgr.sitefile.models import StationTraits, Table, TraitsTable

Given = Mapping[str, object]
"""Trait → value of the domain type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What a charger says it is when it boots; empty before it has."""

    vendor: str = ""
    model: str = ""
    firmware: str = ""

    def __str__(self) -> str:
        return " ".join(x for x in (self.vendor, self.model, self.firmware) if x) or "unnamed product"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Traits of the products that match the globs; letter case does not count. ``place`` is file and number."""

    place: str
    vendor: str = "*"
    model: str = "*"
    firmware: str = "*"
    given: Given
    evidence: str
    caveat: str = ""

    def matches(self, product: Product) -> bool:
        """Is the rule about this product? A product that has not said who it is matches nothing."""
        if product == Product():
            return False
        pairs = ((self.vendor, product.vendor), (self.model, product.model), (self.firmware, product.firmware))
        return all(fnmatchcase(said.strip().lower(), glob.lower()) for glob, said in pairs)


class _Match(Table):
    vendor: Annotated[str, Field(min_length=1)] | None = None
    model: Annotated[str, Field(min_length=1)] | None = None
    firmware: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _names_something(self) -> _Match:
        if self.vendor is None and self.model is None:
            raise ValueError("names neither vendor nor model, so it would match every charger")
        return self


class _RuleTable(Table):
    match: _Match
    set_: Annotated[TraitsTable, Field(alias="set")]
    evidence: Annotated[str, Field(min_length=1)]
    caveat: str = ""


_KNOWN: Mapping[str, tuple[str, ...]] = {
    "": ("match", "set", "evidence", "caveat"),
    "match": tuple(_Match.model_fields),
    "set": tuple(TraitsTable.model_fields),
}
_ENUMS: Mapping[str, type[Zero] | type[Kind] | type[Expiry]] = {"zero": Zero, "kind": Kind, "expiry": Expiry}


def given_of(table: TraitsTable) -> Given:
    """The traits that a table sets, as values of the domain."""
    known = {f.name for f in fields(Traits)}
    found: dict[str, object] = {}
    for name, value in table.model_dump(exclude_none=True).items():
        if name not in known:
            continue
        if name == "purposes":
            found[name] = tuple(Purpose(p) for p in value)
        else:
            found[name] = _ENUMS[name](value) if name in _ENUMS else value
    return found


def parse(texts: Mapping[str, str]) -> tuple[Rule, ...]:
    """Rules of files by name, in the order of the files. Raises ``SettingsError`` with every mistake at once."""
    problems: list[Problem] = []
    rules: list[Rule] = []
    for name, text in texts.items():
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            problems.append(Problem(key=name, problem=f"is not valid TOML: {error}", hint="see https://toml.io"))
            continue
        for key in raw.keys() - {"rule"}:
            problems.append(Problem(key=f"{name}: {key}", problem="unknown key", hint="a file holds [[rule]] tables"))
        for number, item in enumerate(raw.get("rule", ()), 1):
            try:
                rules.append(_rule(f"{name} rule {number}", _RuleTable.model_validate(item)))
            except ValidationError as error:
                problems += _problems(f"{name}: rule {number}", error)
    if problems:
        raise SettingsError("quirk rules", tuple(problems))
    return tuple(rules)


def _rule(place: str, table: _RuleTable) -> Rule:
    match = table.match
    return Rule(
        place=place,
        vendor=match.vendor or "*",
        model=match.model or "*",
        firmware=match.firmware or "*",
        given=given_of(table.set_),
        evidence=table.evidence,
        caveat=table.caveat,
    )


def _problems(place: str, error: ValidationError) -> Iterator[Problem]:
    for item in error.errors(include_url=False):
        location = [str(part) for part in item["loc"]]
        key = f"{place}: {'.'.join(location)}"
        if item["type"] == "extra_forbidden":
            known = _KNOWN.get(location[0] if len(location) > 1 else "", ())
            what = "unknown trait" if location[0] == "set" and len(location) > 1 else "unknown key"
            yield Problem(key=key, problem=what, hint=did_you_mean(location[-1], known))
        elif item["type"] == "missing":
            yield Problem(key=key, problem="is missing", hint="a rule needs match, set and evidence")
        elif item["type"] in {"literal_error", "enum"}:
            allowed = tuple(a.strip("' ") for a in str(item["ctx"]["expected"]).replace(" or ", ", ").split(","))
            yield Problem(
                key=key, problem=f"{item['input']!r} is no value of it", hint=did_you_mean(str(item["input"]), allowed)
            )
        else:
            yield Problem(key=key, problem=f"{str(item['input'])[:60]!r}: {item['msg'].removeprefix('Value error, ')}")


@cache
def builtin() -> tuple[Rule, ...]:
    """The rules that come with the package, file by file in the order of their names."""
    folder = files("loadmgr.ocpp") / "rules"
    found = {f.name: f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".toml")}
    return parse(dict(sorted(found.items())))


@dataclass(slots=True, kw_only=True)
class Knowledge:
    """What is known of one charger; it outlives its links. ``operator`` is the site file's table."""

    rules: tuple[Rule, ...] = ()
    operator: StationTraits = StationTraits()
    product: Product = Product()
    claimed: dict[str, Finding] = field(default_factory=dict)
    learned: dict[str, Finding] = field(default_factory=dict)
    traits: Traits = Traits()
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._resolve()

    @property
    def is_standard(self) -> bool:
        """True while nothing is known that differs from the standard."""
        return not self.evidence

    @property
    def observed(self) -> tuple[str, ...]:
        """Traits that stand because they were seen; the site file says nothing of them."""
        said_of = given_of(self.operator)
        return tuple(trait for trait in self.learned if trait not in said_of)

    def remember(self, told: TraitsKnown) -> None:
        """What was seen of the product in an earlier run; traits of which this version knows nothing are left out."""
        known = {f.name for f in fields(Traits)}
        if told.product:
            vendor, model, firmware = told.product
            self.product = Product(vendor=vendor, model=model, firmware=firmware)
        for trait in told.learned:
            if trait not in known:
                continue
            lines = (line.partition(": ")[2] for line in told.evidence if line.startswith(f"{trait} = "))
            evidence = next(lines, "seen before the restart")
            self.learned[trait] = Finding(trait=trait, value=getattr(told.traits, trait), evidence=evidence)
        self._resolve()

    def named(self, product: Product) -> bool:
        """The charger said who it is. What was observed of another firmware is forgotten [A-41]. True: news."""
        if product == self.product:
            return False
        if self.product != Product():
            self.claimed.clear()
            self.learned.clear()
        self.product = product
        return self._resolve()

    def learn(self, findings: Iterable[Finding]) -> bool:
        """Take findings in; a later one of the same trait wins. True when that changed what is known."""
        for finding in findings:
            (self.claimed if finding.is_claim else self.learned)[finding.trait] = finding
        return self._resolve()

    def forget(self, trait: str) -> bool:
        """What was observed of a trait does not hold any more. True when that changed what is known."""
        self.learned.pop(trait, None)
        return self._resolve()

    def _resolve(self) -> bool:
        """Standard < claims < rules < observation < site file; a line of evidence for each trait that somebody set."""
        values: dict[str, Any] = {}  # trait → value of its own type
        lines: dict[str, str] = {}

        def found(finding: Finding) -> None:
            values[finding.trait] = finding.value
            lines[finding.trait] = f"{finding.trait} = {said(finding.value)}: {finding.evidence}"

        for finding in self.claimed.values():
            found(finding)
        for rule in self.rules:
            if rule.matches(self.product):
                for trait, value in rule.given.items():
                    values[trait] = value
                    lines[trait] = f"{trait} = {said(value)}: rule {rule.place}, {rule.evidence}"
        for finding in self.learned.values():
            found(finding)
        for trait, value in given_of(self.operator).items():
            seen = self.learned.get(trait)
            other = f" (although {seen.evidence})" if seen is not None and seen.value != value else ""
            values[trait] = value
            lines[trait] = f"{trait} = {said(value)}: site file{other}"
        before = (self.traits, self.evidence)
        self.traits, self.evidence = replace(Traits(), **values), tuple(lines.values())
        return (self.traits, self.evidence) != before


def said(value: object) -> str:
    """A trait's value as TOML spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(said(v) for v in value) + "]"
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:g}" if isinstance(value, float) else str(value)
