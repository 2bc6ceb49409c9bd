"""Figures for monitoring, in the Prometheus text format. Counted from the store and the devices when asked."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlmodel import Session, func, select

from hall_daemon.devices import Devices
from hall_daemon.hall import Hall
from hall_daemon.outbox import Outbox
from hall_daemon.store import Store
from hall_daemon.tables import BlobRow, EventRow


class Metrics:
    """Collects the figures of one hall."""

    def __init__(self, hall: Hall, store: Store, devices: Devices, outbox: Outbox | None) -> None:
        self._hall, self._store, self._devices, self._outbox = hall, store, devices, outbox

    async def render(self) -> bytes:
        """All figures as text."""
        counts, blobs = await self._store.read(_counts)
        snapshot = await self._hall.snapshot()
        waiting: dict[str, int] = dict.fromkeys(self._hall.profile.queues, 0)
        for ticket in snapshot.waiting():
            waiting[ticket.queue] = waiting.get(ticket.queue, 0) + 1
        registry = CollectorRegistry()
        registry.register(_Fixed(self._families(counts, blobs, waiting)))
        return generate_latest(registry)

    def _families(self, counts: dict[str, int], blobs: dict[str, int], waiting: dict[str, int]) -> list[Metric]:
        events = CounterMetricFamily("hall_events", "Events committed, by wire type", labels=["type"])
        for wire_type, count in counts.items():
            events.add_metric([wire_type], count)
        tickets = GaugeMetricFamily("hall_waiting_tickets", "Tickets waiting, by queue", labels=["queue"])
        for queue, count in waiting.items():
            tickets.add_metric([queue], count)
        files = GaugeMetricFamily("hall_blobs", "Scanned files, by state", labels=["state"])
        for state, count in blobs.items():
            files.add_metric([state], count)
        online = GaugeMetricFamily("hall_device_online", "1 while the device is online", labels=["device", "driver"])
        jobs = CounterMetricFamily("hall_device_jobs", "Jobs done, failed ones included", labels=["device"])
        failures = CounterMetricFamily("hall_device_failures", "Jobs that failed", labels=["device"])
        for view in self._devices.views():
            online.add_metric([view.device, view.driver], float(view.link == "online"))
            jobs.add_metric([view.device], view.jobs)
            failures.add_metric([view.device], view.failures)
        day = GaugeMetricFamily("hall_day_open", "1 while the service day is open", value=float(self._hall.day_open))
        families: list[Metric] = [events, tickets, files, online, jobs, failures, day]
        if self._outbox is not None:
            backlog = GaugeMetricFamily(
                "hall_province_backlog_events",
                "Events not yet acknowledged",
                value=self._outbox.status().backlog_events,
            )
            families.append(backlog)
        return families


class _Fixed:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counts(session: Session) -> tuple[dict[str, int], dict[str, int]]:
    events = session.exec(select(EventRow.type, func.count()).group_by(EventRow.type))
    by_type = dict(events.all())
    blobs = session.exec(select(BlobRow.state, func.count()).group_by(BlobRow.state))
    return by_type, dict(blobs.all())
