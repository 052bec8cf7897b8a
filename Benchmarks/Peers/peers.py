"""Measures one peer in one scenario and prints one JSON line.

    python peers.py SYSTEM SCENARIO --url postgresql:///postgres?host=/some/socketdir&user=postgres
    python peers.py --list

The figures go to standard output, everything else to standard error.
"""

import argparse
import json
import sys
from typing import Any

import database
import registry
import scenarios
from peer import Failure, Peer


def main() -> int:
    options = parse_options()
    if options.list:
        for pair in registry.pairs():
            print(json.dumps(pair))
        return 0
    try:
        print(json.dumps(measure(options)), flush=True)
        return 0
    except Exception as error:
        kind = "" if isinstance(error, Failure) else f"{type(error).__name__}: "
        text = " ".join(str(error).split())
        print(f"peers: {options.system} {options.scenario}: {kind}{text}", file=sys.stderr)
        return 1


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures one peer in one scenario.")
    parser.add_argument("system", nargs="?", choices=registry.names(), metavar="SYSTEM")
    parser.add_argument("scenario", nargs="?", choices=list(scenarios.RUNS), metavar="SCENARIO")
    parser.add_argument("--list", action="store_true", help="print the supported pairs")
    parser.add_argument("--url", help="any database of the server to measure on")
    parser.add_argument("--count", type=positive, help="tasks, workflows or samples")
    parser.add_argument("--concurrency", type=positive, help="callers when spawning, else what the worker runs at once")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another setting of the peer")
    options = parser.parse_args()
    if not options.list and not (options.system and options.scenario and options.url):
        parser.error("SYSTEM, SCENARIO and --url are needed, or --list")
    return options


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def measure(options: argparse.Namespace) -> dict[str, Any]:
    peer = registry.load(options.system)
    plan = peer.plans.get(options.scenario)
    if plan is None:
        raise Failure("not supported by this peer; see --list")
    settings = chosen_settings(plan.settings, options)
    name = f"bench_{options.system}_{options.scenario}".replace("-", "_")
    with database.fresh(options.url, name) as url:
        peer.set_up(url, settings)
        figures = scenarios.RUNS[options.scenario](peer, url, options.count or plan.count, settings)
    return line(peer, options.scenario, settings, figures)


def chosen_settings(defaults: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    settings = dict(defaults)
    if options.concurrency:
        settings["concurrency"] = options.concurrency
    for assignment in options.set:
        key, _, value = assignment.partition("=")
        if key not in settings:
            raise Failure(f"no setting {key!r} here; there are {', '.join(settings)}")
        settings[key] = type(defaults[key])(value)
    return settings


def line(peer: Peer, scenario: str, settings: dict[str, Any], figures: scenarios.Figures) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "system": peer.name,
        "version": peer.version,
        "scenario": scenario,
        "count": figures.count,
        "seconds": round(figures.seconds, 4),
        "rate": round(figures.count / figures.seconds, 2),
        "unit": figures.unit,
        "settings": settings,
        "cpu_seconds": round(figures.usage.cpu_seconds, 3),
        "resident_mb": round(figures.usage.resident_mb, 1),
    }
    if figures.percentiles_ms:
        answer["percentiles_ms"] = figures.percentiles_ms
    return answer


if __name__ == "__main__":
    sys.exit(main())
