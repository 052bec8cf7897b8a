"""The worker process of a peer. Started by `worker_process.py`, not by hand."""

import json
import sys

import registry
from peer import run
from probe import Probe


def main() -> None:
    request = json.loads(sys.argv[1])
    peer = registry.load(request["system"])
    run(peer.work(request["url"], request["settings"], Probe(request["expected"])))


if __name__ == "__main__":
    main()
