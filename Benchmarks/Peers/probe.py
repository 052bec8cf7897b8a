"""The worker's side of the talk with the measuring process: one JSON object a line."""

import itertools
import json
import os
import sys
import threading
import time
from typing import Any


class Probe:
    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._handled = itertools.count(1)
        self._cpu_before = 0.0
        self._lateness: list[float] = []

    def running(self) -> None:
        """The worker's loop starts now: what came before, such as imports, is not measured."""
        self._mark()
        threading.Thread(target=self._obey, daemon=True).start()
        self._tell(event="running", wall=time.time())

    def handled(self) -> None:
        """A handler has done its work. Counting here spares the database a poll while it is being measured."""
        # One atomic step, for the peers that run handlers on threads.
        if next(self._handled) == self._expected:
            self._tell(event="handled")

    def started(self, number: int) -> None:
        """A timed task's handler has started. The monotonic clock is the same in all processes."""
        self._tell(event="started", number=number, at=time.monotonic_ns())

    def woke(self, due: float) -> None:
        """A sleeper's handler goes on. What it reports waits until the end: a message for each would cost the peer."""
        self._lateness.append(time.time() - due)
        self.handled()

    def _obey(self) -> None:
        for command in sys.stdin:
            if command.strip() == "mark":
                self._mark()
            else:
                break
        cpu = time.process_time() - self._cpu_before
        self._tell(event="usage", cpu=cpu, resident=resident_megabytes(), lateness=self._lateness)
        # The measurement is over and everything is in the database: no peer needs its slow, polite shutdown.
        os._exit(0)

    def _mark(self) -> None:
        self._cpu_before = time.process_time()

    def _tell(self, **message: Any) -> None:
        # A single write is whole even when threads report at the same time, as all do whose messages are short.
        os.write(1, f"{json.dumps(message)}\n".encode())


def resident_megabytes() -> float:
    """The most this process had in memory. Not ru_maxrss, in which a child inherits its parent's peak."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
