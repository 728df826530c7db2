"""Prometheus metrics, read from the manager when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.link_metrics import link_metrics
from loadmgr.control import obedience
from loadmgr.control.obedience import FORM, RESEND, STOP
from loadmgr.control.pauses import PAUSE, RESUME
from loadmgr.control.state import SiteState
from loadmgr.control.view import node_loads
from loadmgr.domain.site import PHASES
from loadmgr.figures import Stats
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager

OUTCOMES = ("obeyed", "not-followed", "refused", "unanswered")


class SiteCollector(Collector):
    """Gauges of the site and counters of the service."""

    def __init__(self, manager: LoadManager) -> None:
        self._manager = manager

    def collect(self) -> Iterator[Metric]:
        """Everything, fresh."""
        yield from self._nodes()
        yield from self._service()
        yield from self._counters()
        yield from self._obedience()
        yield from self._remedies()
        if isinstance(self._manager.link, Gateway):
            yield from link_metrics(self._manager.link)

    def _nodes(self) -> Iterator[Metric]:
        power = GaugeMetricFamily("loadmgr_node_power_kw", "Load below a node, import positive", labels=["node"])
        limit = GaugeMetricFamily("loadmgr_node_limit_kw", "Tightest power limit of a node", labels=["node"])
        current = GaugeMetricFamily("loadmgr_node_current_a", "Current of a node per phase", labels=["node", "phase"])
        limit_a = GaugeMetricFamily("loadmgr_node_limit_a", "Tightest current limit of a node", labels=["node"])
        headroom = GaugeMetricFamily("loadmgr_node_headroom_a", "Least headroom over the phases", labels=["node"])
        for node in node_loads(self._manager.state, self._manager.now()):
            power.add_metric([node.node], node.power_kw)
            for phase, value in zip(PHASES, node.current_a, strict=True):
                current.add_metric([node.node, phase], value)
            if node.limit_kw is not None:
                limit.add_metric([node.node], node.limit_kw)
            if node.limit_a is not None and node.headroom_a is not None:
                limit_a.add_metric([node.node], node.limit_a)
                headroom.add_metric([node.node], min(node.headroom_a))
        yield from (power, limit, current, limit_a, headroom)

    def _service(self) -> Iterator[Metric]:
        manager, health = self._manager, self._manager.health()
        state = manager.state
        connected = sum(1 for s in state.stations.values() if s.is_connected)
        values = (
            ("loadmgr_sessions", "Running sessions", float(len(state.sessions))),
            ("loadmgr_stations_connected", "Stations with an open link", float(connected)),
            ("loadmgr_stations", "Stations of the site file", float(len(state.stations))),
            ("loadmgr_alarms", "Alarms that stand", float(len(state.alarms))),
            ("loadmgr_tick_age_seconds", "Time since the protect loop ran", health.tick_age_s),
            ("loadmgr_plan_age_seconds", "Age of the plan in force", health.plan_age_s or 0.0),
            ("loadmgr_storage_degraded", "1 while events wait in memory", float(health.storage_degraded)),
            ("loadmgr_solve_ms", "Duration of the last solve", manager.stats.solve_ms_last),
            ("loadmgr_protect_ms", "Duration of the last protect tick", manager.stats.protect_ms_last),
            ("loadmgr_setpoints_per_session_hour", "Setpoints sent for each hour of a session", _per_hour(manager.stats)),
            ("loadmgr_promises_open", "Promises to running sessions", float(len(state.energy.promises.open))),
        )
        for name, text, value in values:
            yield GaugeMetricFamily(name, text, value=value)

    def _counters(self) -> Iterator[Metric]:
        stats, promises = self._manager.stats, self._manager.state.energy.promises
        values = (
            ("loadmgr_promises_kept", "Sessions that got what they were promised", promises.n_kept),
            ("loadmgr_promises_broken", "Sessions that got less and stayed", promises.n_broken),
            ("loadmgr_promises_void", "Sessions that left before the time promised", promises.n_void),
            ("loadmgr_events", "Events taken", stats.events),
            ("loadmgr_ticks", "Protect ticks", stats.ticks),
            ("loadmgr_plans", "Plans made", stats.plans),
            ("loadmgr_plan_failures", "Plans for which the solver gave no result", stats.plan_failures),
            ("loadmgr_protect_failures", "Protect ticks that failed", stats.protect_failures),
            ("loadmgr_setpoints_sent", "Setpoints handed to a link", stats.setpoints_sent),
            ("loadmgr_setpoints_refused", "Setpoints that a station refused", stats.setpoints_refused),
            ("loadmgr_setpoints_unanswered", "Setpoints without an answer", stats.setpoints_unanswered),
        )
        for name, text, value in values:
            yield CounterMetricFamily(name, text, value=value)

    def _obedience(self) -> Iterator[Metric]:
        frac = GaugeMetricFamily("loadmgr_obeyed_frac", "Part of the decided orders obeyed", labels=["station"])
        model = GaugeMetricFamily("loadmgr_model_obeyed_frac", "The same per model and firmware", labels=["model"])
        orders = CounterMetricFamily("loadmgr_orders", "Decided orders by outcome", labels=["station", "outcome"])
        effect = CounterMetricFamily("loadmgr_effect_seconds", "From answers to evidence, summed", labels=["station"])
        for figure in obedience.by_station(self._manager.state):
            counts = figure.counts
            if figure.obeyed_frac is not None:
                frac.add_metric([figure.name], figure.obeyed_frac)
            missed = counts.n_judged - counts.n_obeyed
            outcomes = (counts.n_obeyed, missed, counts.n_refused, counts.n_unanswered)
            for name, value in zip(OUTCOMES, outcomes, strict=True):
                orders.add_metric([figure.name, name], value)
            effect.add_metric([figure.name], counts.effect_s)
        for figure in obedience.by_model(self._manager.state):
            if figure.obeyed_frac is not None:
                model.add_metric([figure.name], figure.obeyed_frac)
        yield from (frac, model, orders, effect)

    def _remedies(self) -> Iterator[Metric]:
        stats, state, now = self._manager.stats, self._manager.state, self._manager.now()
        tried = CounterMetricFamily("loadmgr_remedies", "What was done beyond the plain order, by kind", labels=["remedy"])
        done = {RESEND: stats.resends, FORM: stats.forms_changed, STOP: stats.stops}
        for remedy, n_tried in {**done, PAUSE: stats.pauses, RESUME: stats.resumes}.items():
            tried.add_metric([remedy], n_tried)
        yield tried
        yield CounterMetricFamily(
            "loadmgr_composites_differed", "Composite schedules that were not as ordered", value=stats.composites_differed
        )
        foreign = [x for x in state.chargers.externals.values() if x.until_at is None or now < x.until_at]
        values = (
            ("loadmgr_disobedient_evses", "EVSEs that count at their maximum", _disobedient(state)),
            ("loadmgr_external_limits", "Limits that others imposed on chargers", float(len(foreign))),
            ("loadmgr_der_alarms", "DER functions that tripped", float(len(state.chargers.der_alarms))),
        )
        for name, text, value in values:
            yield GaugeMetricFamily(name, text, value=value)


def _disobedient(state: SiteState) -> float:
    return float(sum(1 for e in state.evses.values() if e.is_disobedient))


def _per_hour(stats: Stats) -> float:
    return stats.setpoints_sent / (stats.session_s / 3600.0) if stats.session_s > 0 else 0.0


def registry(manager: LoadManager) -> CollectorRegistry:
    """A registry of its own for one manager."""
    made = CollectorRegistry(auto_describe=False)
    made.register(SiteCollector(manager))
    return made
