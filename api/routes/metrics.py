"""Figures for whoever watches over the service, in the text format of Prometheus.

They are read from the database at each request, so that every web process answers for all workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from api.deps import Now, ReadOnly
from api.settings import Settings
from gis.errors import NotFound
from grids import lateness

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
def show_metrics(request: Request, session: ReadOnly, now: Now) -> Response:
    """Return the figures to those whom the setting GRID_METRICS lets see them."""
    settings: Settings = request.app.state.settings
    if settings.metrics == "off" or (settings.metrics == "local" and not _from_here(request)):
        raise NotFound("no_such_page", "there is nothing at this address")
    registry = CollectorRegistry()
    registry.register(_Figures(session, now))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _from_here(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class _Figures(Collector):
    """What the auditor of the sweeper knows, as gauges."""

    def __init__(self, session: ReadOnly, now: datetime) -> None:
        self._session, self._now = session, now

    def describe(self) -> list[Metric]:
        """Return nothing: names are known only once the figures are read."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of this moment."""
        running = GaugeMetricFamily("gridwhistle_clocks_running", "Clocks that run.", labels=["kind"])
        late = GaugeMetricFamily(
            "gridwhistle_clocks_late", "Clocks that are due and have not fired.", labels=["kind"]
        )
        stuck = GaugeMetricFamily("gridwhistle_clocks_stuck", "Clocks that could not fire.", labels=["kind"])
        for kind in lateness.kinds(self._session, self._now):
            running.add_metric([kind.kind.value], kind.running)
            late.add_metric([kind.kind.value], kind.late)
            stuck.add_metric([kind.kind.value], kind.stuck)
        yield from (running, late, stuck)
        oldest = lateness.oldest_due(self._session, self._now)
        yield GaugeMetricFamily(
            "gridwhistle_oldest_late_seconds",
            "Since when the oldest clock that is late has been due.",
            value=(self._now - oldest).total_seconds() if oldest else 0.0,
        )
        lag = lateness.lag(self._session, self._now)
        yield GaugeMetricFamily(
            "gridwhistle_clocks_fired_last_hour", "Clocks that fired.", value=float(lag.fired)
        )
        after_due = GaugeMetricFamily(
            "gridwhistle_fired_after_due_seconds",
            "How long after their due moments the clocks of the last hour fired.",
            labels=["quantile"],
        )
        for quantile, value in (("0.5", lag.p50), ("0.99", lag.p99), ("1", lag.longest)):
            if value is not None:
                after_due.add_metric([quantile], value)
        yield after_due
        beats = lateness.workers(self._session, self._now)
        alive = [
            beat for beat in beats if beat.ended_at is None and beat.seen_at > self._now - lateness.ALIVE
        ]
        yield GaugeMetricFamily("gridwhistle_workers", "Workers at work.", value=float(len(alive)))
        yield GaugeMetricFamily(
            "gridwhistle_longest_hold_seconds",
            "The longest that a round of a worker at work has held its cases.",
            value=max((beat.longest_hold_ms for beat in alive), default=0) / 1000,
        )
