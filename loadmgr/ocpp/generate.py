"""Message types for msgspec, made from the JSON schemas that the ``ocpp`` package ships.

``python -m loadmgr.ocpp.generate`` writes ``loadmgr/ocpp/messages/v*.py``; with ``--check`` it compares and writes nothing.
A type takes no more than its schema does, and may take less: the reader gives what a type refuses, and what it leaves out,
to the reference validator (``loadmgr.ocpp.typed``).
"""

from __future__ import annotations

import argparse
import json
import keyword
import re
import sys
import textwrap
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

Json = dict[str, Any]
FOLDERS = (("1.6", "v16"), ("2.0.1", "v201"), ("2.1", "v21"))
PLACE = Path(__file__).parent / "messages"
WIDTH = 120
_LOW, _HIGH = 1 - 2**53, 2**53 - 1
"""Beyond these not every whole number is a float, so there the reference decides."""
_FLOAT = "Annotated[float, Meta(ge={low}.0, le={high}.0)]"
_BOUNDS = ("maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "multipleOf")
_SAYINGS = ("$schema", "$id", "id", "comment", "default", "description", "format", "javaType", "title", "additionalItems")
_KNOWN = frozenset(
    {"type", "$ref", "definitions", "enum", "properties", "required", "additionalProperties", "items", *_BOUNDS, *_SAYINGS}
)
_HEAD = '''"""Messages of OCPP {ocpp}, one type for each distinct definition; made by ``python -m loadmgr.ocpp.generate``."""

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

Whole = Annotated[int, Meta(ge={low}, le={high})]
Number = Whole | {number}
'''


@dataclass(slots=True, kw_only=True)
class Writer:
    """One module in the making. ``names``: what a definition was called; ``taken``: which names are."""

    lines: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=lambda: {"Annotated", "Literal", "NotRequired", "TypedDict", "Meta"})
    definitions: Json = field(default_factory=dict)
    fractional: set[str] = field(default_factory=lambda: {"Number"})
    """Names of what may hold a number that is not whole."""

    def message(self, name: str, schema: Json) -> None:
        """Write the type of a whole message under its own name."""
        self.definitions = schema.get("definitions", {})
        fields = self._fields(schema)
        same = self.names.get(fields)
        if same is not None:
            self.lines.append(f"{name} = {same}")
            self.fractional |= {name} if same in self.fractional else set()
            return
        self.names[fields] = name
        self._write_class(name, fields)

    def type_of(self, part: Json, name: str) -> str:
        """The annotation of a part of a schema; ``name``: what to call it if it needs a name of its own."""
        if unknown := part.keys() - _KNOWN:
            raise ValueError(f"{name}: the generator does not know {sorted(unknown)}; teach it before use")
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            return self.type_of(self.definitions[name], name)
        match part.get("type"):
            case "object":
                return self._named(self._fields(part), name)
            case "array":
                return _bounded(f"list[{self.type_of(part['items'], name)}]", part, "minItems", "maxItems")
            case "string" if "enum" in part:
                return self._named("|" + "|".join(part["enum"]), name)
            case "string":
                return _bounded("str", part, "minLength", "maxLength")
            case "integer" | "number" as kind:
                return self._number(part, is_whole=kind == "integer" or "multipleOf" in part)
            case "boolean":
                return "bool"
            case None:
                return "str"  # of what may be anything, texts are read here and the rest by the reference
            case kind:
                raise ValueError(f"{name}: the generator does not know the type {kind!r}")

    def _fields(self, part: Json) -> str:
        required = part.get("required", ())
        properties = part.get("properties", {})
        if missing := set(required) - properties.keys():
            raise ValueError(f"required but not defined: {sorted(missing)}")
        lines = []
        for name, inner in properties.items():
            if keyword.iskeyword(name) or not name.isidentifier():
                raise ValueError(f"{name!r} cannot be the name of a field")
            annotation = self.type_of(inner, name[0].upper() + name[1:])
            lines.append(f"{name}: {annotation if name in required else f'NotRequired[{annotation}]'}")
        return "\n".join(lines)

    def _named(self, body: str, name: str) -> str:
        """The name of a definition, which is written when it is met first."""
        if body in self.names:
            return self.names[body]
        number, wanted = 1, name
        while name in self.taken:
            number += 1
            name = f"{wanted}{number}"
        self.names[body] = name
        self.taken.add(name)
        if body.startswith("|"):
            values = ", ".join(json.dumps(v) for v in body[1:].split("|"))
            if len(name) + len(values) + 12 > WIDTH:
                inner = textwrap.fill(values, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
                values = f"\n{textwrap.indent(inner, '    ')}\n"
            self.lines.append(f"{name} = Literal[{values}]")
        else:
            self._write_class(name, body)
        return name

    def _number(self, part: Json, *, is_whole: bool) -> str:
        """A fraction of a ``multipleOf`` is left to the reference: no rule on binary floats gives its answer [0-12]."""
        name = "Whole" if is_whole else "Number"
        if "minimum" not in part and "maximum" not in part:
            return name
        low, high = max(part.get("minimum", _LOW), _LOW), min(part.get("maximum", _HIGH), _HIGH)
        if int(low) != low or int(high) != high:
            raise ValueError(f"bounds {low} and {high}: the generator knows whole ones only")
        low, high = int(low), int(high)
        name += f"From{low}" * ("minimum" in part) + f"To{high}" * ("maximum" in part)
        name = name.replace("-", "Minus")
        self.fractional |= set() if is_whole else {name}
        if name not in self.taken:
            self.taken.add(name)
            whole = f"Annotated[int, Meta(ge={low}, le={high})]"
            self.lines.append(f"{name} = {whole if is_whole else f'{whole} | {_FLOAT.format(low=low, high=high)}'}")
        return name

    def _write_class(self, name: str, fields: str) -> None:
        if self.fractional & set(re.findall(r"\w+", fields)):
            self.fractional.add(name)
        self.lines.append(f"\n\nclass {name}(TypedDict):\n{textwrap.indent(fields or 'pass', '    ')}\n\n")


def _bounded(kind: str, part: Json, least: str, most: str) -> str:
    bounds = [f"{word}={part[key]}" for key, word in ((least, "min_length"), (most, "max_length")) if key in part]
    return f"Annotated[{kind}, Meta({', '.join(bounds)})]" if bounds else kind


def module(ocpp: str, folder: str) -> str:
    """The source of the module of one version."""
    writer = Writer()
    places = [p for p in (files("ocpp") / folder / "schemas").iterdir() if p.name.endswith(".json")]
    schemas = {p.name.removesuffix(".json"): json.loads(p.read_text(encoding="utf-8-sig")) for p in places}
    writer.taken |= schemas.keys()
    for name in sorted(schemas):
        writer.message(name, schemas[name])
    head = _HEAD.format(ocpp=ocpp, low=_LOW, high=_HIGH, number=_FLOAT.format(low=_LOW, high=_HIGH))
    fractions = ", ".join(f'"{n}"' for n in sorted(writer.fractional & schemas.keys()))
    inner = textwrap.indent(f"\n{textwrap.fill(fractions, WIDTH - 4)}\n", "    ") if fractions else ""
    tail = f"\n\n\nFRACTIONAL: frozenset[str] = frozenset([{inner}])"
    return re.sub("\n{4,}", "\n\n\n", f"{head}{chr(10).join(writer.lines)}{tail}\n")


def main(arguments: list[str] | None = None) -> int:
    """Write the modules, or with ``--check`` say which are not what would be written."""
    parser = argparse.ArgumentParser(prog="python -m loadmgr.ocpp.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; 1 when a module is not up to date")
    is_check = parser.parse_args(arguments).check
    stale = []
    for ocpp, folder in FOLDERS:
        path, text = PLACE / f"{folder}.py", module(ocpp, folder)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.name)
        if not is_check:
            path.write_text(text, encoding="utf-8")
    if is_check and stale:
        sys.stderr.write(f"not up to date: {', '.join(stale)}; run python -m loadmgr.ocpp.generate\n")
    return int(is_check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
