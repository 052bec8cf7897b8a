"""procrastinate: a task queue for Python, with its asynchronous worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from procrastinate import App, PsycopgConnector

from peer import EMPTY, SLEEPER, TIMED, Peer, Plan, Producer, Settings, due, run
from probe import Probe

QUEUE = "bench"


class ProcrastinateProducer(Producer):
    def __init__(self, app: App) -> None:
        self._app = app
        self._deferrers = {task: app.configure_task(task, queue=QUEUE) for task in (EMPTY, TIMED)}

    async def spawn(self, task: str, number: int) -> None:
        await self._deferrers[task].defer_async(number=number)

    async def spawn_batch(self, task: str, numbers: range) -> None:
        await self._deferrers[task].batch_defer_async(*({"number": number} for number in numbers))

    async def spawn_sleeper(self, task: str, number: int) -> None:
        at = datetime.fromtimestamp(due(number), UTC)
        await self._app.configure_task(task, queue=QUEUE, schedule_at=at).defer_async(number=number)


class ProcrastinatePeer(Peer):
    name = "procrastinate"
    distribution = "procrastinate"
    finished_query = """
        select count(*), extract(epoch from max(e.at))
        from procrastinate_events e join procrastinate_jobs j on j.id = e.job_id
        where j.task_name = %s and e.type = 'succeeded'"""
    plans = {
        "spawn-one": Plan(4_000, {"concurrency": 16}),
        # Two callers, so that one encodes while Postgres inserts the other's batch.
        "spawn-batch": Plan(50_000, {"concurrency": 2, "batch": 1_000}),
        # Jobs are fetched one at a time, whatever the concurrency: of 1, 5, 20 and 50 the second did best.
        "drain": Plan(1_500, {"concurrency": 5}),
        "pickup": Plan(200, {"concurrency": 5}),
        # Jobs that are scheduled: it polls for them, every 5 s by default. 100 a second, a fifth of what it drains.
        "sleepers": Plan(1_000, {"concurrency": 5, "poll_interval": 0.01, "lead": 8.0}),
    }

    def set_up(self, url: str, settings: Settings) -> None:
        async def apply_schema() -> None:
            async with app(url, connections=1).open_async() as opened:
                await opened.schema_manager.apply_schema_async()

        run(apply_schema())

    @asynccontextmanager
    async def producer(self, url: str, connections: int) -> AsyncIterator[ProcrastinateProducer]:
        async with app(url, connections).open_async() as opened:
            yield ProcrastinateProducer(opened)

    async def work(self, url: str, settings: Settings, probe: Probe) -> None:
        await work(url, settings, probe)


async def work(url: str, settings: Settings, probe: Probe) -> None:
    # A connection for each task that ends, one to fetch with and one to listen on.
    async with app(url, settings["concurrency"] + 2).open_async() as opened:
        register_tasks(opened, probe)
        probe.running()
        await opened.run_worker_async(
            queues=[QUEUE],
            concurrency=settings["concurrency"],
            fetch_job_polling_interval=settings.get("poll_interval", 5.0),
        )


def register_tasks(opened: App, probe: Probe) -> None:
    @opened.task(name=EMPTY, queue=QUEUE)
    async def empty(number):
        probe.handled()

    @opened.task(name=TIMED, queue=QUEUE)
    async def timed(number):
        probe.started(number)

    @opened.task(name=SLEEPER, queue=QUEUE)
    async def sleeper(number):
        probe.woke(due(number))


def app(url: str, connections: int) -> App:
    return App(connector=PsycopgConnector(conninfo=url, min_size=connections, max_size=connections))


PEER = ProcrastinatePeer()
