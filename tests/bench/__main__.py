"""Run one benchmark or all: print a table, write ``bench-results/<name>.json``."""

from __future__ import annotations

import json
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

import tests.bench


def main() -> int:
    known = sorted(
        m.name.removeprefix("bench_") for m in pkgutil.iter_modules(tests.bench.__path__) if m.name[:6] == "bench_"
    )
    wanted = sys.argv[1:] or known
    for name in wanted:
        if name not in known:
            print(f"benchmark {name!r} does not exist; known: {', '.join(known)}", file=sys.stderr)
            return 2
        rows = import_module(f"tests.bench.bench_{name}").run()
        table = Table(title=name)
        has_goal = any("goal" in row for row in rows)
        for column in ("name", "value", "unit", "better", "target", "met", *(("goal",) if has_goal else ())):
            table.add_column(column)
        for row in rows:
            target = "" if row["target"] is None else f"{row['target']:g}"
            met = "" if row["met"] is None else ("yes" if row["met"] else "NO")
            goal = "" if row.get("goal") is None else f"{row['goal']:.3g}"
            cells = (row["name"], f"{row['value']:.3g}", row["unit"], row["better"], target, met)
            table.add_row(*cells, *((goal,) if has_goal else ()))
        Console(width=140 if has_goal else 120).print(table)
        folder = Path("bench-results")
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
