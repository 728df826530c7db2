"""What every page has: the style, and the header with the site's name, the way to the other page, and its clock."""

from __future__ import annotations

from nicegui import ui

from loadmgr.runtime import LoadManager

STYLE = """
body { background: #f4f5f7; color: #1d2733; font-family: system-ui, sans-serif; }
.panel { background: #fff; border: 1px solid #dfe3e8; border-radius: 6px; padding: 14px 18px; }
.big { font-size: 2.4rem; font-weight: 650; line-height: 1.1; font-variant-numeric: tabular-nums; }
.unit { color: #5b6875; font-size: .95rem; }
.stale { color: #8a94a0 !important; }
.bad { color: #b3261e !important; }
.banner { background: #fdecea; color: #7d1a14; border: 1px solid #b3261e; border-radius: 6px; padding: 10px 18px;
  width: 100%; font-weight: 600; }
.cols { display: flex; flex-wrap: wrap; gap: 16px; width: 100%; align-items: stretch; }
.cols > .panel { flex: 1 1 210px; min-width: 0; }
.cols > .panel.half { flex-basis: 420px; }
.nav a { color: #cfd8dc; text-decoration: none; padding: 4px 10px; border-radius: 4px; white-space: nowrap; }
.nav a[aria-current] { color: #fff; background: #455a64; }
.many { max-height: 15rem; overflow-y: auto; width: 100%; }
.tall { max-height: 60vh; }
.pick { color: #1f5a99; text-decoration: underline; white-space: nowrap; }
.picked { background: #eaf1f8; }
.tag { padding: 1px 7px; border-radius: 4px; border: 1px solid transparent; white-space: nowrap; }
.tag0 { background: #b3261e; color: #fff; font-weight: 650; }
.tag1 { background: #fff3e0; color: #7a4100; border-color: #b26a00; }
.tag2 { color: #37618e; border-color: #9fb6cc; }
.tag3 { color: #5b6875; }
.chain { display: flex; flex-wrap: wrap; gap: 8px; list-style: none; margin: 0; padding: 0; width: 100%; }
.step { flex: 1 1 130px; min-width: 0; border: 1px solid #dfe3e8; border-left-width: 5px; border-radius: 4px;
  padding: 6px 10px; }
.step .value { font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.step.done { border-left-color: #2e7d4f; }
.step.waits { border-left-color: #b26a00; }
.step.late { border-left-color: #b3261e; background: #fdecea; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 28px; margin: 0; }
td, th { font-variant-numeric: tabular-nums; }
@media (max-width: 600px) {
  .big { font-size: 1.7rem; }
  .panel { padding: 10px 12px; }
  .cols { gap: 10px; }
  .cols > .panel { flex-basis: 150px; }
  .cols > .panel.half { flex-basis: 100%; }
  .q-table th { white-space: normal !important; }
  .q-table th, .q-table td { padding: 4px 5px !important; }
}
"""
PAGES = (("/", "Now"), ("/plan", "The day ahead"), ("/chargers", "Chargers"))


def header(manager: LoadManager, here: str) -> ui.label:
    """The page's header; the label is for the clock."""
    with ui.header().classes("bg-blue-grey-9 items-center justify-between q-px-lg q-py-sm gap-2"):
        ui.label(manager.settings.name).classes("text-lg font-semibold")
        with ui.row().classes("nav gap-1"):
            for path, title in PAGES:
                link = ui.link(title, path)
                if path == here:
                    link.props('aria-current="page"')
        return ui.label("").classes("text-sm")
