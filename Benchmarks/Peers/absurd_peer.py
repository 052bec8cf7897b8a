"""absurd-sdk: the Python SDK of Absurd, on the official schema that absurdctl installs."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from absurd_sdk import AsyncAbsurd

from peer import (
    EMPTY,
    OWN,
    RESUMED,
    SLEEPER,
    STEP_COUNT,
    STEPS,
    TIMED,
    WAITING,
    Failure,
    Peer,
    Plan,
    Producer,
    Settings,
    due,
)
from probe import Probe

QUEUE = "bench"
EVENT = "go"


class AbsurdProducer(Producer):
    """A client has one connection, so each concurrent caller gets a client of its own."""

    def __init__(self, clients: list[AsyncAbsurd]) -> None:
        self._idle: asyncio.Queue[AsyncAbsurd] = asyncio.Queue()
        for client in clients:
            self._idle.put_nowait(client)

    async def spawn(self, task: str, number: int) -> None:
        client = await self._idle.get()
        await client.spawn(task, {"number": number}, queue=QUEUE)
        self._idle.put_nowait(client)

    async def emit(self) -> None:
        await self._emit(EVENT)

    async def emit_to(self, task: str, number: int) -> None:
        await self._emit(f"{EVENT} {number}")

    async def _emit(self, event: str) -> None:
        client = await self._idle.get()
        await client.emit_event(event, {"by": "peers.py"})
        self._idle.put_nowait(client)


class AbsurdPeer(Peer):
    name = "absurd-sdk"
    distribution = "absurd-sdk"
    finished_query = f"""
        select count(*), extract(epoch from max(r.completed_at))
        from absurd.r_{QUEUE} r join absurd.t_{QUEUE} t using (task_id)
        where t.task_name = %s and r.state = 'completed'"""
    waiting_query = f"select count(*) from absurd.w_{QUEUE}"
    sleeping_query = f"select count(*) from absurd.r_{QUEUE} where state = 'sleeping'"
    plans = {
        "spawn-one": Plan(8_000, {"concurrency": 16}),
        # Of concurrencies of 1, 10, 50 and 200, 50 was the least that did best. One client is what its guide
        # starts in a process; more of them (--set clients=8) do more, each with a connection and a claim of its own.
        "drain": Plan(1_500, {"concurrency": 50, "clients": 1, "poll_interval": 0.25}),
        "steps": Plan(400, {"concurrency": 50, "clients": 1, "poll_interval": 0.25}),
        # It has no notification: 10 ms costs a claim each time, the default of 250 ms would be all of the latency.
        "pickup": Plan(200, {"concurrency": 10, "clients": 1, "poll_interval": 0.01}),
        "resume": Plan(200, {"concurrency": 10, "clients": 1, "poll_interval": 0.01}),
        "fan-out": Plan(1_000, {"concurrency": 50, "clients": 1, "poll_interval": 0.01}),
        "events": Plan(1_000, {"concurrency": 50, "clients": 1, "poll_interval": 0.01}),
        # 200 a second, a third of what it drains.
        "sleepers": Plan(2_000, {"concurrency": 50, "clients": 1, "poll_interval": 0.01, "lead": 25.0}),
    }

    def set_up(self, url: str, settings: Settings) -> None:
        absurdctl("init", "--database", url)
        absurdctl("create-queue", "--database", url, QUEUE)

    @asynccontextmanager
    async def producer(self, url: str, connections: int) -> AsyncIterator[AbsurdProducer]:
        async with AsyncExitStack() as stack:
            clients = [AsyncAbsurd(url, queue_name=QUEUE) for _ in range(connections)]
            for client in clients:
                stack.push_async_callback(client.close)
                await client.list_queues()  # connects
            yield AbsurdProducer(clients)

    async def work(self, url: str, settings: Settings, probe: Probe) -> None:
        await work(url, settings, probe)


async def work(url: str, settings: Settings, probe: Probe) -> None:
    clients = [AsyncAbsurd(url, queue_name=QUEUE) for _ in range(settings["clients"])]
    for client in clients:
        register_tasks(client, probe)
        await client.list_queues()  # connects
    probe.running()
    await asyncio.gather(
        *(
            client.start_worker(concurrency=settings["concurrency"], poll_interval=settings["poll_interval"])
            for client in clients
        )
    )


def register_tasks(client: AsyncAbsurd, probe: Probe) -> None:
    @client.register_task(EMPTY)
    async def empty(params, context):
        probe.handled()

    @client.register_task(TIMED)
    async def timed(params, context):
        probe.started(params["number"])

    @client.register_task(STEPS)
    async def steps(params, context):
        async def step():
            return None

        for number in range(STEP_COUNT):
            await context.step(f"step {number}", step)
        probe.handled()

    @client.register_task(WAITING)
    async def waiting(params, context):
        await context.await_event(EVENT)
        probe.handled()

    @client.register_task(OWN)
    async def own(params, context):
        await context.await_event(f"{EVENT} {params['number']}")
        probe.handled()

    @client.register_task(RESUMED)
    async def resumed(params, context):
        await context.await_event(f"{EVENT} {params['number']}")
        probe.started(params["number"])

    @client.register_task(SLEEPER)
    async def sleeper(params, context):
        await context.sleep_until("until due", due(params["number"]))
        probe.woke(due(params["number"]))


def absurdctl(*arguments: str) -> None:
    """The program that pip put beside this interpreter; it needs psql on the path."""
    program = Path(sys.executable).with_name("absurdctl")
    result = subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise Failure(f"absurdctl {arguments[0]} failed: {result.stderr or result.stdout}")


PEER = AbsurdPeer()
