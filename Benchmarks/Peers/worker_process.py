"""Starts a peer's worker process and listens to what its probe says."""

import json
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peer import Failure, Peer, Settings

PATIENCE = 300.0  # seconds; far more than any message takes


@dataclass(frozen=True)
class Usage:
    """What a process used between the start and the end of the clock; the memory is its peak."""

    cpu_seconds: float
    resident_mb: float
    lateness: list[float] = field(default_factory=list)  # of each sleeper, in seconds


class WorkerProcess:
    def __init__(self, peer: Peer, url: str, settings: Settings, expected: int) -> None:
        request = {"system": peer.name, "url": url, "settings": settings, "expected": expected}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py")), json.dumps(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def wait_until_running(self) -> float:
        """When the worker started to work, in seconds since 1970."""
        return self._next("running")["wall"]

    def wait_until_handled(self) -> None:
        """Until the handlers of all expected tasks have run."""
        self._next("handled")

    def starts(self, count: int) -> dict[int, int]:
        """When each of so many timed tasks was started, in nanoseconds of the monotonic clock."""
        messages = [self._next("started") for _ in range(count)]
        return {message["number"]: message["at"] for message in messages}

    def mark(self) -> None:
        """Lets the counting of CPU time start again."""
        self._command("mark")

    def check(self) -> None:
        """Fails if the worker is gone, for those who wait for something else than its messages."""
        if self._process.poll() is not None:
            raise Failure(f"the worker ended with code {self._process.returncode}")

    def stop(self) -> Usage:
        self._command("stop")
        message = self._next("usage")
        return Usage(message["cpu"], message["resident"], message["lateness"])

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # A peer may print as well; its chatter belongs to the log.
            if line.startswith('{"event"'):
                self._messages.put(json.loads(line))
            else:
                print(line, end="", file=sys.stderr)
        self._messages.put(None)

    def _next(self, event: str) -> dict[str, Any]:
        try:
            message = self._messages.get(timeout=PATIENCE)
        except queue.Empty:
            raise Failure(f"the worker did not report {event!r} within {PATIENCE:.0f} s") from None
        if message is None:
            raise Failure(f"the worker ended with code {self._process.wait()} before it reported {event!r}")
        if message["event"] != event:
            raise Failure(f"the worker reported {message['event']!r} instead of {event!r}")
        return message

    def _command(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()
