"""The scenarios: how work is prepared, and between which two moments a peer is measured."""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import database
from peer import EMPTY, OWN, RESUMED, SLEEPER, STEPS, TIMED, WAITING, Failure, Peer, Producer, Settings, run
from probe import resident_megabytes
from worker_process import PATIENCE, Usage, WorkerProcess

PREPARING_CALLERS = 16
PREPARING_BATCH = 1_000
WARM_UP_SAMPLES = 10
SAMPLE_INTERVAL = 0.05  # seconds
EMITTING_CALLERS = 64
EMITTING_CONNECTIONS = 16
STORM = 10.0  # seconds within which all sleepers are due


@dataclass(frozen=True)
class Figures:
    count: int
    seconds: float
    unit: str
    usage: Usage
    percentiles_ms: dict[str, float] = field(default_factory=dict)


def spawn_one(peer: Peer, url: str, count: int, settings: Settings) -> Figures:
    """Concurrent callers, each of which awaits each of its calls."""

    async def spawn(producer: Producer) -> None:
        await spawn_singly(producer, EMPTY, count, settings["concurrency"])

    return measure_producer(peer, url, count, settings["concurrency"], spawn)


def spawn_batch(peer: Peer, url: str, count: int, settings: Settings) -> Figures:
    """The peer's own bulk API."""

    async def spawn(producer: Producer) -> None:
        await spawn_in_batches(producer, EMPTY, count, settings["batch"], settings["concurrency"])

    return measure_producer(peer, url, count, settings["concurrency"], spawn)


def drain(peer: Peer, url: str, count: int, settings: Settings) -> Figures:
    """A backlog of empty tasks, from the worker's start to the last completion that Postgres has."""
    return work_off(peer, url, EMPTY, count, settings, unit="tasks/s")


def steps(peer: Peer, url: str, count: int, settings: Settings) -> Figures:
    """The same with workflows of five recorded steps."""
    return work_off(peer, url, STEPS, count, settings, unit="workflows/s")


def pickup(peer: Peer, url: str, count: int, settings: Settings) -> Figures:
    """An idle worker gets one task at a time."""
    with WorkerProcess(peer, url, settings, expected=0) as worker:
        worker.wait_until_running()
        total = WARM_UP_SAMPLES + count
        calls = run(trickle(peer, url, total, lambda producer, number: producer.spawn(TIMED, number)))
        return latencies(count, calls, worker)


def fan_out(peer: Peer, url: str, count: int, settings: Settings) -> Figures:
    """One event wakes all tasks that wait, from the call that emits it to the last completion that Postgres has."""

    async def emit(producer: Producer) -> None:
        await producer.emit()

    return wake(peer, url, WAITING, count, settings, emit, connections=1)


def events(peer: Peer, url: str, count: int, settings: Settings) -> Figures:
    """The same with an event for each task, from concurrent callers."""

    async def emit(producer: Producer) -> None:
        await in_turn(range(count), EMITTING_CALLERS, lambda number: producer.emit_to(OWN, number))

    return wake(peer, url, OWN, count, settings, emit, EMITTING_CONNECTIONS)


def resume(peer: Peer, url: str, count: int, settings: Settings) -> Figures:
    """An idle worker, and tasks that wait for an event each, which come one at a time."""
    total = WARM_UP_SAMPLES + count
    prepare(peer, url, RESUMED, total)
    with WorkerProcess(peer, url, settings, expected=0) as worker, database.Reader(url) as reader:
        worker.wait_until_running()
        wait_until_waiting(worker, reader, peer, total)
        calls = run(trickle(peer, url, total, lambda producer, number: producer.emit_to(RESUMED, number)))
        return latencies(count, calls, worker)


def sleepers(peer: Peer, url: str, count: int, settings: Settings) -> Figures:
    """Tasks that sleep and are due within ten seconds; the percentiles are how late their handlers go on."""
    # All of them are asleep before the first is due, or scheduled for that time where a task cannot sleep.
    first = time.time() + settings["lead"]
    numbers = [int((first + STORM * number / count) * 1e6) for number in range(count)]
    with WorkerProcess(peer, url, settings, expected=count) as worker, database.Reader(url) as reader:
        began = worker.wait_until_running()

        async def enqueue() -> None:
            async with peer.producer(url, PREPARING_CALLERS) as producer:
                await in_turn(numbers, PREPARING_CALLERS, lambda number: producer.spawn_sleeper(SLEEPER, number))

        run(enqueue())
        if peer.sleeping_query:
            wait_for(worker, lambda: reader.row(peer.sleeping_query)[0] >= count or time.time() > first, "sleepers")
        if time.time() > first:
            raise Failure("the first was due before all of them were asleep; --set lead=… gives more time")
        worker.wait_until_handled()
        ended = wait_for_completions(worker, reader, peer, SLEEPER, count)
        usage = worker.stop()
    lateness = [round(max(0.0, seconds) * 1e9) for seconds in usage.lateness]
    return Figures(count, ended - began, "tasks/s", usage, percentiles(lateness, ""))


RUNS: dict[str, Callable[[Peer, str, int, Settings], Figures]] = {
    "spawn-one": spawn_one,
    "spawn-batch": spawn_batch,
    "drain": drain,
    "steps": steps,
    "pickup": pickup,
    "resume": resume,
    "fan-out": fan_out,
    "events": events,
    "sleepers": sleepers,
}


def measure_producer(
    peer: Peer, url: str, count: int, connections: int, spawn: Callable[[Producer], Awaitable[None]]
) -> Figures:
    async def timed() -> tuple[float, float]:
        async with peer.producer(url, connections) as producer:
            wall, cpu = time.monotonic(), time.process_time()
            await spawn(producer)
            return time.monotonic() - wall, time.process_time() - cpu

    seconds, cpu = run(timed())
    return Figures(count, seconds, "tasks/s", Usage(cpu, resident_megabytes()))


def work_off(peer: Peer, url: str, task: str, count: int, settings: Settings, unit: str) -> Figures:
    prepare(peer, url, task, count)
    database.analyze(url)
    with WorkerProcess(peer, url, settings, expected=count) as worker, database.Reader(url) as reader:
        began = worker.wait_until_running()
        worker.wait_until_handled()
        ended = wait_for_completions(worker, reader, peer, task, count)
        return Figures(count, ended - began, unit, worker.stop())


def prepare(peer: Peer, url: str, task: str, count: int) -> None:
    """Enqueues the work before any clock starts, by the peer's fastest way."""

    async def enqueue() -> None:
        async with peer.producer(url, PREPARING_CALLERS) as producer:
            if "spawn-batch" in peer.plans:
                await spawn_in_batches(producer, task, count, PREPARING_BATCH, callers=1)
            else:
                await spawn_singly(producer, task, count, PREPARING_CALLERS)

    run(enqueue())


async def spawn_singly(producer: Producer, task: str, count: int, callers: int) -> None:
    await in_turn(range(count), callers, lambda number: producer.spawn(task, number))


async def in_turn(numbers: Iterable[int], callers: int, call: Callable[[int], Awaitable[None]]) -> None:
    """Concurrent callers, each of which awaits each of its calls."""
    rest = iter(numbers)

    async def caller() -> None:
        for number in rest:
            await call(number)

    await asyncio.gather(*(caller() for _ in range(callers)))


async def spawn_in_batches(producer: Producer, task: str, count: int, batch: int, callers: int) -> None:
    starts = iter(range(0, count, batch))

    async def call() -> None:
        for start in starts:
            await producer.spawn_batch(task, range(start, min(count, start + batch)))

    await asyncio.gather(*(call() for _ in range(callers)))


async def trickle(
    peer: Peer, url: str, count: int, call: Callable[[Producer, int], Awaitable[None]]
) -> dict[int, tuple[int, int]]:
    """Calls every 50 ms or so; answers when each call was made and when it returned."""
    calls = {}
    async with peer.producer(url, connections=1) as producer:
        for number in range(count):
            # The jitter keeps the samples from falling into step with a worker that polls.
            await asyncio.sleep(random.uniform(0.5, 1.5) * SAMPLE_INTERVAL)
            called = time.monotonic_ns()
            await call(producer, number)
            calls[number] = (called, time.monotonic_ns())
    return calls


def latencies(count: int, calls: dict[int, tuple[int, int]], worker: WorkerProcess) -> Figures:
    starts = worker.starts(len(calls))
    samples = [(*calls[number], starts[number]) for number in range(WARM_UP_SAMPLES, WARM_UP_SAMPLES + count)]
    from_call = [started - called for called, _, started in samples]
    # A notified worker can be faster than the caller's own wake-up; it did not start before the commit, though.
    from_commit = [max(0, started - returned) for _, returned, started in samples]
    seconds = (samples[-1][2] - samples[0][0]) / 1e9
    both = percentiles(from_commit, "") | percentiles(from_call, "_from_call")
    return Figures(count, seconds, "samples/s", worker.stop(), both)


def wake(
    peer: Peer,
    url: str,
    task: str,
    count: int,
    settings: Settings,
    emit: Callable[[Producer], Awaitable[None]],
    connections: int,
) -> Figures:
    async def emission() -> float:
        async with peer.producer(url, connections) as producer:
            began = time.time()
            await emit(producer)
            return began

    prepare(peer, url, task, count)
    with WorkerProcess(peer, url, settings, expected=count) as worker, database.Reader(url) as reader:
        worker.wait_until_running()
        wait_until_waiting(worker, reader, peer, count)
        database.analyze(url)
        worker.mark()
        began = run(emission())
        worker.wait_until_handled()
        ended = wait_for_completions(worker, reader, peer, task, count)
        return Figures(count, ended - began, "tasks/s", worker.stop())


def wait_until_waiting(worker: WorkerProcess, reader: database.Reader, peer: Peer, count: int) -> None:
    wait_for(worker, lambda: reader.row(peer.waiting_query)[0] >= count, f"{count} tasks to wait for their event")


def wait_for_completions(
    worker: WorkerProcess, reader: database.Reader, peer: Peer, task: str, count: int
) -> float:
    """When the last task was completed according to the database: its clock is ours, as it runs on this machine."""
    wait_for(worker, lambda: reader.row(peer.finished_query, task)[0] >= count, f"{count} completed tasks")
    finished, last = reader.row(peer.finished_query, task)
    if finished != count:
        raise Failure(f"{finished} tasks were completed instead of {count}")
    return float(last)


def wait_for(worker: WorkerProcess, condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        worker.check()
        if time.monotonic() > deadline:
            raise Failure(f"waited {PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.05)


def percentiles(nanoseconds: list[int], suffix: str) -> dict[str, float]:
    """By the nearest rank."""
    ordered = sorted(nanoseconds)
    ranks = {share: max(1, math.ceil(share / 100 * len(ordered))) for share in (50, 95, 99)}
    return {f"p{share}{suffix}": round(ordered[rank - 1] / 1e6, 3) for share, rank in ranks.items()}
