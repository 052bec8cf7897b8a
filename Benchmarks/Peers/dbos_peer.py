"""DBOS: durable workflows as a library, whose system tables are in the measured database."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from dbos import DBOS, DBOSClient, DBOSConfig

from peer import (
    EMPTY,
    OWN,
    RESUMED,
    SLEEPER,
    STEP_COUNT,
    STEPS,
    TIMED,
    WAITING,
    Peer,
    Plan,
    Producer,
    Settings,
    due,
)
from probe import Probe

APPLICATION = "peers"
QUEUE = "bench"
HERALD = "herald"  # the workflow whose event the waiting workflows want
EVENT = "go"
PATIENCE = 600.0  # seconds that a workflow waits for the event


class DBOSProducer(Producer):
    def __init__(self, client: DBOSClient) -> None:
        self._client = client

    async def spawn(self, task: str, number: int) -> None:
        options = {"queue_name": QUEUE, "workflow_name": task}
        if task in (OWN, RESUMED):
            # Who sends it a message must know it by its id.
            options["workflow_id"] = workflow_id(task, number)
        await self._client.enqueue_async(options, number)

    async def emit(self) -> None:
        # Only a workflow can set an event, so the clock includes that this one is picked up.
        await self._client.enqueue_async(
            {"queue_name": QUEUE, "workflow_name": HERALD, "workflow_id": HERALD}, 0
        )

    async def emit_to(self, task: str, number: int) -> None:
        await self._client.send_async(workflow_id(task, number), "go")


def workflow_id(task: str, number: int) -> str:
    return f"{task} {number}"


class DBOSPeer(Peer):
    name = "dbos"
    distribution = "dbos"
    finished_query = """
        select count(*), max(completed_at) / 1000.0
        from dbos.workflow_status where name = %s and status = 'SUCCESS'"""
    # Waiting is recorded as a step of its own, with the deadline.
    waiting_query = "select count(*) from dbos.operation_outputs where function_name = 'DBOS.sleep'"
    sleeping_query = waiting_query
    plans = {
        "spawn-one": Plan(4_000, {"concurrency": 16}),
        # Best of concurrencies from 10 to 10,000 and polls every 10 to 200 ms (its default is 1 s); the pool of 20 is
        # its default, and neither 5 nor 50 did better.
        "drain": Plan(1_500, {"concurrency": 200, "poll_interval": 0.01, "pool": 20}),
        "steps": Plan(250, {"concurrency": 200, "poll_interval": 0.01, "pool": 20}),
        # Queues have no notification: the default of 1 s would be all of the latency.
        "pickup": Plan(200, {"concurrency": 10, "poll_interval": 0.01, "pool": 20}),
        # A workflow that waits keeps its place, so there must be one for each of them and for the herald.
        "resume": Plan(200, {"concurrency": 100_000, "poll_interval": 0.01, "pool": 20}),
        "fan-out": Plan(500, {"concurrency": 100_000, "poll_interval": 0.01, "pool": 20}),
        "events": Plan(500, {"concurrency": 100_000, "poll_interval": 0.01, "pool": 20}),
        # 200 a second, a quarter of what it drains.
        "sleepers": Plan(2_000, {"concurrency": 100_000, "poll_interval": 0.01, "pool": 20, "lead": 20.0}),
    }

    def set_up(self, url: str, settings: Settings) -> None:
        DBOS.migrate(url)
        client = DBOSClient(system_database_url=url, application_name=APPLICATION)
        client.register_queue(
            QUEUE,
            worker_concurrency=settings["concurrency"],
            polling_interval_sec=settings.get("poll_interval", 1.0),
        )
        client.destroy()

    @asynccontextmanager
    async def producer(self, url: str, connections: int) -> AsyncIterator[DBOSProducer]:
        # The asynchronous calls run on the loop's threads, of which there would be only six on two cores.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(connections))
        client = DBOSClient(
            system_database_url=url, application_name=APPLICATION, system_database_pool_size=connections
        )
        try:
            yield DBOSProducer(client)
        finally:
            client.destroy()

    async def work(self, url: str, settings: Settings, probe: Probe) -> None:
        await work(url, settings, probe)


async def work(url: str, settings: Settings, probe: Probe) -> None:
    config: DBOSConfig = {
        "name": APPLICATION,
        "application_version": "1",
        "system_database_url": url,
        "sys_db_pool_size": settings["pool"],
        "log_level": "WARNING",
    }
    DBOS(config=config)
    register_workflows(probe)
    DBOS.launch()
    # After the launch, which looks at the schema first: DBOS is spared the time that takes.
    probe.running()
    await asyncio.Event().wait()


def register_workflows(probe: Probe) -> None:
    @DBOS.step()
    async def step() -> None:
        return None

    # Without a step to wait for, a plain function costs DBOS less than a coroutine; with steps it is the other way.
    @DBOS.workflow(name=EMPTY)
    def empty(number: int) -> None:
        probe.handled()

    @DBOS.workflow(name=TIMED)
    async def timed(number: int) -> None:
        probe.started(number)

    @DBOS.workflow(name=STEPS)
    async def steps(number: int) -> None:
        for _ in range(STEP_COUNT):
            await step()
        probe.handled()

    @DBOS.workflow(name=WAITING)
    async def waiting(number: int) -> None:
        await DBOS.get_event_async(HERALD, EVENT, PATIENCE)
        probe.handled()

    @DBOS.workflow(name=OWN)
    async def own(number: int) -> None:
        await DBOS.recv_async(timeout_seconds=PATIENCE)
        probe.handled()

    @DBOS.workflow(name=RESUMED)
    async def resumed(number: int) -> None:
        await DBOS.recv_async(timeout_seconds=PATIENCE)
        probe.started(number)

    @DBOS.workflow(name=SLEEPER)
    async def sleeper(number: int) -> None:
        await DBOS.sleep_async(due(number) - time.time())
        probe.woke(due(number))

    @DBOS.workflow(name=HERALD)
    async def herald(number: int) -> None:
        await DBOS.set_event_async(EVENT, "go")


PEER = DBOSPeer()
