"""Prometheus metrics of the gateway's links."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from loadmgr.ocpp.gateway import Gateway


def link_metrics(gateway: Gateway) -> Iterator[Metric]:
    """Links, frames, and who was turned away why; nothing names a station, so their number stays small."""
    counts, door = gateway.link_counts, gateway.door
    yield GaugeMetricFamily("loadmgr_links", "Sockets of stations, in whatever phase", value=gateway.n_sockets)
    yield GaugeMetricFamily("loadmgr_links_held", "Links of unknown stations without rights", value=door.room.n_held)
    turned = CounterMetricFamily("loadmgr_links_refused", "Links that were turned away", labels=["reason"])
    for reason, n in sorted(door.keeper.reasons.items()):
        turned.add_metric([str(reason)], n)
    turned.add_metric(["full"], counts.full)
    turned.add_metric(["tls"], counts.tls_failed)
    yield turned
    values = (
        ("loadmgr_links_accepted", "Sockets that were accepted", counts.accepted),
        ("loadmgr_link_takeovers", "Links that ended an older one of their station", gateway.takeovers),
        ("loadmgr_frames_handled", "Messages of stations", gateway.frames_handled),
        ("loadmgr_frames_sent", "Messages to stations", gateway.frames_sent),
    )
    for name, text, value in values:
        yield CounterMetricFamily(name, text, value=value)
