"""Rules about chargers: what matches, who has the last word, and mistakes that are named."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from loadmgr.domain.traits import Purpose, Traits, Zero
from loadmgr.errors import SettingsError
from loadmgr.ocpp.detect import Finding
from loadmgr.ocpp.quirks import Knowledge, Product, Rule, builtin, given_of, parse
from loadmgr.sitefile.models import StationTraits, TraitsTable

ROOT = Path(__file__).parents[3]
GOOD = """
[[rule]]
match    = { vendor = "Example*", model = "Wall 22", firmware = "3.*" }
set      = { rate_units = ["W"], current_step_a = 1.0, zero = "hold" }
evidence = "a thread"

[[rule]]
match    = { vendor = "EXAMPLE INC" }
set      = { zero = "stop" }
evidence = "another thread"
caveat   = "only the big one"
"""


def one(text: str) -> str:
    """The message of a file with mistakes."""
    with pytest.raises(SettingsError) as caught:
        parse({"x.toml": text})
    return str(caught.value)


def a_rule(body: str) -> str:
    return f'[[rule]]\nmatch = {{ vendor = "v" }}\nevidence = "e"\n{body}\n'


# -- the rules that come with the package --------------------------------------------------------------------------


@pytest.mark.parametrize("rule", builtin(), ids=lambda r: r.place)
def test_every_rule_matches_its_own_product_and_sets_something(rule: Rule) -> None:
    """[A-40]: a rule that changes nothing or never matches is a mistake."""
    product = Product(vendor=_example(rule.vendor), model=_example(rule.model), firmware=_example(rule.firmware))
    known = Knowledge(rules=(rule,))
    known.named(product)
    assert rule.matches(product)
    assert rule.given
    for trait, value in rule.given.items():
        assert getattr(known.traits, trait) == value
    assert all(rule.place in line for line in known.evidence)
    assert len(known.evidence) == len(rule.given)


def _example(glob: str) -> str:
    return glob.replace("*", "x") if glob != "*" else ""


@pytest.mark.parametrize("rule", builtin(), ids=lambda r: r.place)
def test_every_rule_has_evidence_that_can_be_read(rule: Rule) -> None:
    page = ROOT / rule.evidence
    assert rule.evidence.startswith("https://") or page.is_file()
    if page.is_file():
        assert "https://github.com/" in page.read_text()


def test_the_product_of_a_report_gets_its_traits() -> None:
    """[G-13, G-17, G-20, G-47, G-81]: names as chargers told them in public logs."""

    def known(vendor: str, model: str, firmware: str = "") -> Traits:
        found = Knowledge(rules=builtin())
        found.named(Product(vendor=vendor, model=model, firmware=firmware))
        return found.traits

    assert known("ABB", "TAC-W11-G5-R-0").stack_max == 0
    assert known("", "ACChargePoint").rate_units == ("W",)
    assert known("ZJBENY", "BCP-B2N-L", "1.0.23").zero is Zero.HOLD
    assert known("EN+", "37", "1.1.805").zero is Zero.STOP
    assert known("go-e", "go-eCharger_V4", "055.5").needs_resend_after_pause
    assert known("EV-BOX", "Elvi").purposes[0] is Purpose.DEFAULT
    assert known("Unheard Of Ltd", "One") == Traits()
    assert Knowledge(rules=builtin()).traits == Traits()


# -- reading -------------------------------------------------------------------------------------------------------


def test_globs_match_without_letter_case_and_later_rules_win() -> None:
    rules = parse({"a.toml": GOOD})
    known = Knowledge(rules=rules)
    known.named(Product(vendor="example inc", model="WALL 22", firmware="3.1"))
    assert known.traits.rate_units == ("W",)
    assert known.traits.zero is Zero.STOP
    assert [line.split(":")[0] for line in known.evidence] == ['rate_units = ["W"]', "current_step_a = 1", 'zero = "stop"']
    known.named(Product(vendor="example inc", model="Wall 22", firmware="4.0"))
    assert known.traits.rate_units == ("A", "W")
    assert known.traits.zero is Zero.STOP


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (a_rule("set = { stak_max = 0 }"), ("x.toml: rule 1: set.stak_max", "unknown trait", "'stack_max'")),
        (a_rule('set = { zero = "hld" }'), ("x.toml: rule 1: set.zero", "'hld'", "'hold'")),
        (a_rule("set = { stack_max = 99 }"), ("x.toml: rule 1: set.stack_max", "99")),
        (a_rule("set = {}\ncavet = 'x'"), ("x.toml: rule 1: cavet", "unknown key", "'caveat'")),
        (a_rule("set = { takes_over = true }"), ("set.takes_over", "unknown trait")),
        ('[[rule]]\nset = {}\nevidence = "e"', ("rule 1: match", "is missing")),
        ('[[rule]]\nmatch = { vendr = "v" }\nset = {}\nevidence = "e"', ("match.vendr", "'vendor'")),
        ('[[rule]]\nmatch = { firmware = "1" }\nset = {}\nevidence = "e"', ("rule 1: match", "every charger")),
        (a_rule("set = {}").replace('"e"', '""'), ("rule 1: evidence",)),
        ("[[rules]]\n", ("x.toml: rules", "unknown key")),
        ("[[rule\n", ("x.toml", "not valid TOML")),
    ],
)
def test_a_mistake_is_named_with_file_rule_key_and_remedy(text: str, words: tuple[str, ...]) -> None:
    message = one(text)
    for word in words:
        assert word in message


def test_all_mistakes_of_all_files_come_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(
            {"a.toml": a_rule("set = { zero = 'x' }"), "b.toml": a_rule("set = { kid = 'x' }") + a_rule("set = { k = 1 }")}
        )
    assert {p.key.split(": set")[0] for p in caught.value.problems} == {"a.toml: rule 1", "b.toml: rule 1", "b.toml: rule 2"}


def test_the_tables_of_rules_and_site_file_know_every_trait_and_no_other() -> None:
    """A trait that nobody can set would be a dead one."""
    assert set(TraitsTable.model_fields) == {f.name for f in fields(Traits)}


def test_given_values_are_those_of_the_domain() -> None:
    table = TraitsTable(purposes=("default", "tx"), zero="stop", kind="relative", expiry="hold", rate_units=("W",))
    given = given_of(table)
    assert given["purposes"] == (Purpose.DEFAULT, Purpose.TX)
    assert isinstance(given["zero"], Zero)
    assert "stack_max" not in given


# -- who has the last word -----------------------------------------------------------------------------------------


def test_claims_stand_below_rules_and_observation_above_and_the_site_file_over_all() -> None:
    """[A-40, A-41]"""
    rules = parse({"a.toml": a_rule('set = { rate_units = ["W"], stack_max = 0, may_trigger = true }')})
    known = Knowledge(rules=rules, operator=StationTraits(stack_max=1))
    known.learn((Finding(trait="rate_units", value=("A", "W"), evidence="it says so", is_claim=True),))
    assert known.traits.rate_units == ("A", "W")
    known.named(Product(vendor="v"))
    assert known.traits.rate_units == ("W",)
    known.learn((Finding(trait="may_trigger", value=False, evidence="refused"),))
    assert not known.traits.may_trigger
    known.learn((Finding(trait="stack_max", value=0, evidence="level 1 refused"),))
    assert known.traits.stack_max == 1
    (line,) = [x for x in known.evidence if x.startswith("stack_max")]
    assert "site file" in line
    assert "level 1 refused" in line


def test_another_firmware_is_another_charger() -> None:
    """[A-41]"""
    known = Knowledge()
    assert known.named(Product(vendor="v", model="m", firmware="1")) is False
    assert known.learn((Finding(trait="may_trigger", value=False, evidence="refused"),))
    assert not known.learn((Finding(trait="may_trigger", value=False, evidence="refused"),))
    known.named(Product(vendor="v", model="m", firmware="1"))
    assert not known.traits.may_trigger
    assert known.named(Product(vendor="v", model="m", firmware="2"))
    assert known.traits == Traits()
    assert known.is_standard


# -- site file and manual ------------------------------------------------------------------------------------------


def test_the_site_file_takes_traits_of_stations_and_groups_and_names_mistakes(tmp_path: Path) -> None:
    from loadmgr.domain.ids import StationId
    from loadmgr.settings import Settings

    text = (ROOT / "examples" / "office.toml").read_text()
    (tmp_path / "data").symlink_to(ROOT / "examples" / "data")
    good = tmp_path / "good.toml"
    good.write_text(text + '\n[stations."extra-1".traits]\nzero = "hold"\nstart_tag = "house"\n')
    good.write_text(
        good.read_text().replace('[stations."extra-1".traits]', _a_station(text) + '[stations."extra-1".traits]')
    )
    access = Settings.load(good).ocpp.stations
    assert given_of(access[StationId("extra-1")].traits) == {"zero": Zero.HOLD}
    assert access[StationId("extra-1")].traits.start_tag == "house"
    assert given_of(access[StationId("office-1")].traits) == {}
    bad = tmp_path / "bad.toml"
    bad.write_text(good.read_text().replace("zero =", "zeroo ="))
    with pytest.raises(SettingsError, match=r"stations.extra-1.traits.zeroo: unknown key .*'zero'"):
        Settings.load(bad)


def _a_station(text: str) -> str:
    import tomllib

    node = next(iter(tomllib.loads(text)["nodes"]))
    return f'[stations."extra-1"]\nnode = "{node}"\npassword = "extra-charger-0001"\n\n'


def test_the_manual_says_how_every_known_quirk_is_met() -> None:
    """(rule G): 33 + 22 + 15 + 11 + 8 + 6 rows."""
    text = (ROOT / "docs" / "howto" / "charger-quirks.md").read_text()
    rows = [*range(1, 34), *range(40, 62), *range(70, 85), *range(90, 101), *range(110, 118), *range(120, 126)]
    for row in rows:
        (line,) = [x for x in text.splitlines() if x.startswith(f"| G-{row} |")]
        assert all(cell.strip() for cell in line.strip("|").split("|"))
    for word in {w for line in text.splitlines() for w in _codes(line)}:
        if "/" in word and word.endswith(".py") and "*" not in word:
            assert (ROOT / "loadmgr" / word).is_file(), word


def _codes(line: str) -> list[str]:
    return line.split("`")[1::2]
