"""The reference page of the site file, from its models: ``python -m loadmgr.sitefile.reference`` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from loadmgr.domain.params import ControlParams
from loadmgr.sitefile.models import SiteFile

HEAD = """# Site file

TOML, format 1. Unknown keys are mistakes; `loadmgr check site.toml` reports all mistakes at once. Currents are A per
phase, powers kW (three-phase sum), times of day local, dates with a time zone. This page is generated.
"""

Schema = Mapping[str, Any]  # JSON schema


def page() -> str:
    """The whole page as Markdown."""
    schema = SiteFile.model_json_schema(by_alias=True)
    tables = {"SiteFile": schema, **schema["$defs"]}
    parts = [HEAD]
    for name, table in tables.items():
        if table.get("type") != "object":
            continue
        text = " ".join(table.get("description", "").split()).replace("``", "`")
        parts.append(f"\n## {name}\n\n{text}\n\n| key | default | value |\n| --- | --- | --- |\n")
        parts += [f"| `{key}` | {_default(name, key, item, table)} | {_kind(item)} |\n" for key, item in _items(table)]
    return "".join(parts)


def _items(table: Schema) -> Iterator[tuple[str, Schema]]:
    yield from table.get("properties", {}).items()


def _default(name: str, key: str, item: Schema, table: Schema) -> str:
    if key in table.get("required", ()):
        return "**required**"
    value = item.get("default")
    if name == "ControlTable" and value is None:
        value = getattr(ControlParams(), key, None)
    if value is None:
        return ""
    if isinstance(value, list | tuple | dict) and not value:
        return "none"
    if isinstance(value, dict):
        return "see there"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _kind(item: Schema) -> str:
    """Type and range in words."""
    if "$ref" in item:
        name = item["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in item:
        return " or ".join(_kind(x) for x in item["anyOf"] if x.get("type") != "null")
    if "allOf" in item:
        return _kind(item["allOf"][0])
    if "enum" in item or "const" in item:
        values = item.get("enum", [item.get("const")])
        return ", ".join(f"`{v}`" for v in values)
    if item.get("type") == "array":
        return f"list of {_kind(item['items'])}" if isinstance(item.get("items"), dict) else "list"
    if item.get("type") == "object":
        inner = item.get("additionalProperties")
        return f"tables by name: {_kind(inner)}" if isinstance(inner, dict) else "table"
    return _simple(item)


def _simple(item: Schema) -> str:
    kind = {"number": "number", "integer": "whole number", "boolean": "true or false", "string": "text"}
    found = kind.get(item.get("type", ""), "value")
    if item.get("format") in {"time", "date-time"}:
        found = {"time": "time of day", "date-time": "date and time"}[item["format"]]
    low = item.get("minimum", item.get("exclusiveMinimum"))
    high = item.get("maximum", item.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f"{found}, {'above ' if 'exclusiveMinimum' in item else ''}{low:g} to {high:g}"
    if low is not None:
        return f"{found} {'above' if 'exclusiveMinimum' in item else 'from'} {low:g}"
    if "maxLength" in item:
        return f"{found}, at most {item['maxLength']} characters"
    if "pattern" in item:
        return f"{found}, pattern `{item['pattern']}`"
    return found


if __name__ == "__main__":
    sys.stdout.write(page())
