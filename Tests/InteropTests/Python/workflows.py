"""The workflows of the tests, in Python. Workflows.swift has the same ones in Swift."""

import threading

from absurd_sdk import TimeoutError as EventTimeout

_lock = threading.Lock()
_executed = []


def take_executed():
    with _lock:
        taken = list(_executed)
        _executed.clear()
        return taken


def step(context, name, value):
    """A step that says that its body ran."""

    def body():
        with _lock:
            _executed.append(name)
        return value

    return context.step(name, body)


# A value of every kind that JSON has, as both languages write it down in their steps.
SAMPLE = {
    "text": "Käse 🧀 \\ \" / \u0001",
    "whole": 9007199254740993,
    "real": 0.1,
    "truth": True,
    "nothing": None,
    "list": [1, "two", [], {}],
}


def sleeping(params, context):
    first = step(context, "first", {"by": "python", "sample": SAMPLE})
    context.sleep_for("nap", params["seconds"])
    second = step(context, "second", {"by": "python"})
    return {"first": first, "second": second}


def waiting(params, context):
    first = step(context, "first", {"by": "python", "sample": SAMPLE})
    payload = context.await_event(params["event"])
    second = step(context, "second", {"by": "python"})
    return {"first": first, "payload": payload, "second": second}


def repeating(params, context):
    ticks = [step(context, "tick", f"python {number}") for number in (1, 2)]
    context.sleep_for("nap", params["seconds"])
    context.sleep_for("nap", params["seconds"])
    ticks.append(step(context, "tick", "python 3"))
    payloads = [context.await_event(params["event"]) for _ in range(2)]
    ticks.append(step(context, "tick", "python 4"))
    return {"ticks": ticks, "payloads": payloads}


def parent(params, context):
    child = context.await_task_result(params["child"], queue_name=params["queue"])
    context.await_event(params["event"])
    again = context.await_task_result(params["child"], queue_name=params["queue"])
    return [snapshot(child), snapshot(again)]


def snapshot(of):
    return {"state": of.state, "result": of.result, "failure": of.failure}


def failing(params, context):
    first = step(context, "first", "python")
    if params.get("fails_in") == "python":
        raise ValueError(params["message"])
    return {"first": first, "second": step(context, "second", "python")}


def patient(params, context):
    try:
        payload = context.await_event(params["event"], timeout=params["timeout"])
    except EventTimeout:
        return {"timed_out": True}
    return {"payload": payload}


def emitting(params, context):
    context.emit_event(params["event"], params.get("payload"))


def nothing(params, context):
    return None


def echo(params, context):
    return {"params": params, "headers": dict(context.headers)}


def stepping(params, context):
    """Takes one step after the other until something outside ends it; the events say how far it is."""
    number = 0
    while True:
        number += 1
        step(context, f"step {number}", number)


def register(app):
    tasks = [sleeping, waiting, repeating, parent, failing, patient, emitting, nothing, echo, stepping]
    for function in tasks:
        app.register_task(function.__name__)(function)
