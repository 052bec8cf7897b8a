"""What a peer has to offer so that the scenarios can measure it."""

import importlib.metadata
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvloop

if TYPE_CHECKING:
    from probe import Probe

# The tasks that every peer registers, as far as it can do them.
EMPTY = "empty"  # does nothing
TIMED = "timed"  # reports when it was started
STEPS = "steps"  # five recorded steps that do nothing
WAITING = "waiting"  # waits for the one event
OWN = "own"  # waits for an event of its own
RESUMED = "resumed"  # the same, and reports when it goes on
SLEEPER = "sleeper"  # goes on at the time that its number says, see `due`, and reports how late that was

STEP_COUNT = 5

Settings = dict[str, Any]


def due(number: int) -> float:
    """When a sleeper is to go on, in seconds since 1970: its number has microseconds."""
    return number / 1e6


class Failure(Exception):
    """Something the reader of the one error line can act on."""


@dataclass(frozen=True)
class Plan:
    """How a peer is measured in a scenario unless the command line says otherwise."""

    count: int
    settings: Settings


class Producer(ABC):
    """Puts work into the peer's queue, from outside the worker process."""

    @abstractmethod
    async def spawn(self, task: str, number: int) -> None:
        """One call of the peer's own API; returns when the task is committed."""

    async def spawn_batch(self, task: str, numbers: range) -> None:
        """One call of the peer's own bulk API."""
        raise NotImplementedError

    async def spawn_sleeper(self, task: str, number: int) -> None:
        """One call as `spawn`, for a task that is to go on when its number says; where a task cannot sleep, scheduled."""
        await self.spawn(task, number)

    async def emit(self) -> None:
        """Wakes everything that waits for the one event."""
        raise NotImplementedError

    async def emit_to(self, task: str, number: int) -> None:
        """Wakes the task of that name and number, which waits for an event of its own."""
        raise NotImplementedError


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """The faster event loop is for all: only pgqueuer's own runner chooses it, but the others gain by it too."""
    return uvloop.run(work)


class Peer(ABC):
    name: str
    distribution: str
    plans: dict[str, Plan]

    #: Number of finished tasks of a name, and when the last one finished, in seconds since 1970.
    finished_query: str
    #: Number of tasks that wait for an event.
    waiting_query: str
    #: Number of tasks that sleep; empty where they are only scheduled.
    sleeping_query = ""

    @property
    def version(self) -> str:
        return importlib.metadata.version(self.distribution)

    @abstractmethod
    def set_up(self, url: str, settings: Settings) -> None:
        """Creates the peer's schema and queue in a new database."""

    @abstractmethod
    def producer(self, url: str, connections: int) -> AbstractAsyncContextManager[Producer]:
        """A producer whose connections are open already."""

    @abstractmethod
    async def work(self, url: str, settings: Settings, probe: "Probe") -> None:
        """Runs the peer's worker in this process, for ever."""
