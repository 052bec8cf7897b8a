"""pgqueuer: a plain job queue without workflows, on asyncpg, the faster of its drivers."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from peer import EMPTY, SLEEPER, TIMED, Peer, Plan, Producer, Settings, due, run
from probe import Probe


class PgQueuerProducer(Producer):
    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def spawn(self, task: str, number: int) -> None:
        await self._queries.enqueue(task, b"%d" % number)

    async def spawn_batch(self, task: str, numbers: range) -> None:
        payloads: list[bytes | None] = [b"%d" % number for number in numbers]
        await self._queries.enqueue([task] * len(payloads), payloads, [0] * len(payloads))

    async def spawn_sleeper(self, task: str, number: int) -> None:
        await self._queries.enqueue(
            task, b"%d" % number, execute_after=timedelta(seconds=due(number) - time.time())
        )


class PgQueuerPeer(Peer):
    name = "pgqueuer"
    distribution = "pgqueuer"
    finished_query = """
        select count(*), extract(epoch from max(created))
        from pgqueuer_log where entrypoint = %s and status = 'successful'"""
    plans = {
        "spawn-one": Plan(8_000, {"concurrency": 16}),
        # Two callers, so that one encodes while Postgres inserts the other's batch.
        "spawn-batch": Plan(200_000, {"concurrency": 2, "batch": 1_000}),
        # Of batches of 10 (the default) to 2,000, 500 drained the most; the pool was a little faster with them.
        "drain": Plan(40_000, {"batch": 500, "driver": "pool"}),
        # Its defaults: jobs come one by one and are notified.
        "pickup": Plan(200, {"batch": 10, "driver": "connection"}),
        # Jobs that are deferred: while there are any, it looks for them every 100 ms by default.
        "sleepers": Plan(5_000, {"batch": 500, "driver": "pool", "poll_interval": 0.01, "lead": 12.0}),
    }

    def set_up(self, url: str, settings: Settings) -> None:
        async def install() -> None:
            connection = await asyncpg.connect(url)
            queries = Queries(AsyncpgDriver(connection))
            await queries.install()
            # Its performance guide asks for this after the installation.
            await queries.optimize_autovacuum()
            await connection.close()

        run(install())

    @asynccontextmanager
    async def producer(self, url: str, connections: int) -> AsyncIterator[PgQueuerProducer]:
        # Its performance guide: a pool for producers, a connection of its own for the worker.
        async with asyncpg.create_pool(url, min_size=connections, max_size=connections) as pool:
            yield PgQueuerProducer(Queries(AsyncpgPoolDriver(pool)))

    async def work(self, url: str, settings: Settings, probe: Probe) -> None:
        await work(url, settings, probe)


async def work(url: str, settings: Settings, probe: Probe) -> None:
    if settings["driver"] == "pool":
        driver = AsyncpgPoolDriver(await asyncpg.create_pool(url, min_size=4, max_size=4))
    else:
        driver = AsyncpgDriver(await asyncpg.connect(url))
    worker = PgQueuer(driver)
    if "poll_interval" in settings:
        worker.qm.min_dequeue_poll_interval = timedelta(seconds=settings["poll_interval"])
    register_tasks(worker, probe)
    probe.running()
    await worker.run(batch_size=settings["batch"])


def register_tasks(worker: PgQueuer, probe: Probe) -> None:
    @worker.entrypoint(EMPTY)
    async def empty(job: Job) -> None:
        probe.handled()

    @worker.entrypoint(TIMED)
    async def timed(job: Job) -> None:
        assert job.payload is not None
        probe.started(int(job.payload))

    @worker.entrypoint(SLEEPER)
    async def sleeper(job: Job) -> None:
        assert job.payload is not None
        probe.woke(due(int(job.payload)))


PEER = PgQueuerPeer()
