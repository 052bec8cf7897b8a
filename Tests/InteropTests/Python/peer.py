"""The Python SDK, driven by a test.

Reads one JSON object a line from standard input and answers each with one on standard output:

    {"call": "spawn", "arguments": ["pay", {"amount": 3}], "options": {"queue": "jobs"}}
    {"value": {"task_id": "..."}, "executed": []}

`call` is a method of the SDK's client; the task functions of workflows.py are registered with it. An answer has
`value`, or `error` with the exception's name and message, and in `executed` the bodies of steps that ran meanwhile.
The database is that of ABSURD_DATABASE_URL, the queue the program's argument.
"""

import dataclasses
import json
import os
import sys
import threading

from absurd_sdk import Absurd

import workflows


def plain(value):
    """What stands for a value of the SDK in JSON."""
    if dataclasses.is_dataclass(value):
        return {name: plain(member) for name, member in vars(value).items() if member is not None}
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def client(queue):
    app = Absurd(os.environ["ABSURD_DATABASE_URL"], queue_name=queue)
    workflows.register(app)
    return app


def start_worker(queue, options):
    """A worker beside the calls, with a connection of its own, until the process ends."""
    app = client(queue)
    threading.Thread(target=lambda: app.start_worker(**options), daemon=True).start()


def answer(app, queue, request):
    options = request.get("options", {})
    try:
        if request["call"] == "start_worker":
            value = start_worker(queue, options)
        else:
            value = getattr(app, request["call"])(*request.get("arguments", []), **options)
        return {"value": plain(value)}
    except Exception as error:
        return {"error": {"name": type(error).__name__, "message": str(error)}}


def main(queue):
    app = client(queue)
    for line in sys.stdin:
        reply = answer(app, queue, json.loads(line))
        reply["executed"] = workflows.take_executed()
        print(json.dumps(reply), flush=True)


main(sys.argv[1])
