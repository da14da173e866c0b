"""Events a second: over HTTP from another process, and through track(); and what a call of it takes.

An answer means committed; the rows are counted at the end. track() is measured while its thread writes: in a
burst that its buffer holds, at a steady pace, and as fast as the database takes what is told.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from benchmarks import databases
from benchmarks.processes import processor_seconds
from benchmarks.shown import show
from skene_dagster.settings import Users
from skene_dagster.store import schema
from skene_dagster.store.engine import open_engine

OVER_HTTP = [(1, 1), (64, 1), (256, 1), (16, 100)]
"""Clients at a time, and events in each request."""

CALLS = ["nothing", "burst", "steady", "fastest"]


@dataclass(frozen=True)
class Server:
    """`skene-dagster serve`, running."""

    address: str
    key: str
    """Its write key."""
    process: "subprocess.Popen[str]"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="a second of each")
    options.add_argument("--only", help="this database alone: SQLite, MariaDB or TiDB")
    chosen = options.parse_args()
    seconds = 1.0 if chosen.quick else 5.0
    over_http, calls = [], []
    with tempfile.TemporaryDirectory() as name, closing(databases.each(Path(name))) as each:
        for database, url in each:
            if chosen.only not in (None, database):
                continue
            engine = open_engine(url)
            make_product(engine)
            for clients, events in OVER_HTTP:
                over_http.append([database, *through_web(engine, url, clients, events, seconds)])
            calls += [[database, *through_track(engine, url, way, seconds)] for way in CALLS]
            engine.dispose()
    show(
        "Over HTTP, committed when answered",
        ["database", "clients", "events a request", "requests/s", "events/s", "p50", "p99", "longest", "CPU an event"],
        over_http,
    )
    show(
        "track(), what the caller pays",
        ["database", "way", "calls", "calls/s", "p50", "p99", "p99.9", "longest", "written/s", "dropped"],
        calls,
    )


def through_web(engine: Engine, url: str, clients: int, events: int, seconds: float) -> list[str]:
    before = _count(engine)
    with serving(url) as server:
        done = asked(server, "benchmarks.track_clients", server.key, clients, events, seconds)
    assert _count(engine) - before == done["requests"] * events
    rate = done["requests"] / done["seconds"]
    return [
        str(clients), str(events), f"{rate:,.0f}", f"{rate * events:,.0f}",
        *(f"{1000 * done[part]:.1f} ms" for part in ("p50", "p99", "max")),
        f"{1e6 * done['cpu'] / done['requests'] / events:.0f} µs",
    ]  # fmt: skip


def asked(server: Server, clients: str, *arguments: object, answer: str = "200") -> dict[str, Any]:
    """Run clients, a module that is told the address and these arguments, against a server; return what they saw.

    Args:
        answer: the status that each request has to get.
    """
    started = processor_seconds(server.process.pid)
    command = [sys.executable, "-m", clients, server.address, *map(str, arguments)]
    done: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout
    )
    done["cpu"] = processor_seconds(server.process.pid) - started
    assert done["answers"] == {answer: done["requests"]}, done
    return done


def through_track(engine: Engine, url: str, way: str, seconds: float) -> list[str]:
    before = _count(engine)
    done = json.loads(
        subprocess.run(
            [sys.executable, "-m", "benchmarks.track_calls", way, str(seconds)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
            env=_environment(url),
        ).stdout
    )
    written = _count(engine) - before
    told = done["calls"] if way != "nothing" else 0
    return [
        way, f"{done['calls']:,}", f"{done['rate']:,.0f}",
        *(f"{1e6 * done[part]:,.1f} µs" for part in ("p50", "p99", "p999", "max")),
        f"{written / done['until_written']:,.0f}" if written else "-", f"{told - written:,}",
    ]  # fmt: skip


@contextmanager
def serving(url: str, **environ: str) -> Iterator[Server]:
    """Run `skene-dagster serve` on a free port."""
    key = secrets.token_hex(16)
    program = "from skene_dagster.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--port", "0"],
        env=_environment(url) | {"SKENE_WRITE_KEY": key} | environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Server(process.stdout.readline().split("http://")[1].split()[0], key, process)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _environment(url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKENE_")}
    return kept | {"SKENE_DATABASE_URL": url, "SKENE_PROJECT": tempfile.gettempdir()}


def make_product(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT PRIMARY KEY)"))
    schema.upgrade(engine, Users())


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        count: int = connection.execute(text("SELECT COUNT(*) FROM skene_events")).scalar_one()
        return count


if __name__ == "__main__":
    main()
