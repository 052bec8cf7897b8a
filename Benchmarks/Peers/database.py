"""The database that one measurement has for itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql


@contextmanager
def fresh(server: str, name: str) -> Iterator[str]:
    """Creates the database anew and removes it afterwards, so that its clean-up disturbs no later measurement."""
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    create = sql.SQL("create database {}").format(sql.Identifier(name))
    execute(server, drop)
    execute(server, create)
    try:
        yield with_database(server, name)
    finally:
        execute(server, drop)


def with_database(url: str, name: str) -> str:
    parts = urlsplit(url)
    # Not urlunsplit: it loses the empty host of a URL that names a socket folder.
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}/{name}{query}"


def execute(url: str, statement: Any) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def analyze(url: str) -> None:
    """Gives the planner the statistics that a queue in daily use has."""
    execute(url, "analyze")


class Reader:
    """Looks at the peer's tables over a connection that stays open."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def row(self, query: str, *parameters: Any) -> tuple[Any, ...]:
        row = self._connection.execute(query, parameters).fetchone()
        assert row is not None
        return row

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
