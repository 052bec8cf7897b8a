"""Finds the peers, and loads only the one that is measured, so that its memory is its own."""

import importlib
from typing import Any

from peer import Peer

MODULES = {
    "absurd-sdk": "absurd_peer",
    "dbos": "dbos_peer",
    "procrastinate": "procrastinate_peer",
    "pgqueuer": "pgqueuer_peer",
}


def names() -> list[str]:
    return list(MODULES)


def load(name: str) -> Peer:
    return importlib.import_module(MODULES[name]).PEER


def pairs() -> list[dict[str, Any]]:
    return [
        {"system": peer.name, "version": peer.version, "scenario": scenario, "count": plan.count}
        for peer in map(load, MODULES)
        for scenario, plan in peer.plans.items()
    ]
