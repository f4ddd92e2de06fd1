"""Gauges of a process: how late its event loop is, what its consumer runs, what waits in the outbox."""

import asyncio
import time

from prometheus_client import Gauge

from dragoman_server import outbox
from dragoman_server.db import Database
from dragoman_server.jobs.consumer import Consumer
from dragoman_server.kit.telemetry import REGISTRY

LAG = Gauge("dragoman_event_loop_lag_seconds", "How late the event loop woke up last.", registry=REGISTRY)
RUNNING = Gauge("dragoman_tasks_running", "Syncs and actions under way in this process.", registry=REGISTRY)
FACTS = Gauge("dragoman_outbox_facts", "Facts waiting or parked in the outbox.", ["kind", "state"], registry=REGISTRY)
LOOK_SECONDS = 1.0


class LagWatch:
    """Sleeps a second and sees how much later it woke: what a synchronous step costs everybody else."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        while not self._stopping.is_set():
            started = time.perf_counter()
            try:
                await asyncio.wait_for(self._stopping.wait(), LOOK_SECONDS)
            except TimeoutError:
                LAG.set(max(0.0, time.perf_counter() - started - LOOK_SECONDS))
                RUNNING.set(self._consumer.running)

    async def stop(self) -> None:
        self._stopping.set()


class OutboxWatch:
    """One look at the outbox a turn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def once(self) -> float | None:
        async with self._database.connection() as conn:
            for kind, (waiting, parked) in (await outbox.backlog(conn)).items():
                FACTS.labels(kind, "waiting").set(waiting)
                FACTS.labels(kind, "parked").set(parked)
        return None
