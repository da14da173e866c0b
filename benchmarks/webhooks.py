"""What a provider posts, a second: signed as Resend signs, checked, and committed when it is answered.

Clients in another process post to one process of `skene-dagster serve`, as fast as they are answered. Beside them, in
rounds that alternate: events of a product, one in each request; and posts whose signature is wrong.
"""

import argparse
import os
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine, text

from benchmarks import databases, track
from benchmarks.shown import show
from skene_dagster.store.engine import open_engine

CLIENTS = (1, 64, 256)
SECRET, FORGED = ("whsec_" + letter * 32 for letter in "AB")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="one round of a second each")
    options.add_argument("--only", help="this database alone: SQLite, MariaDB or TiDB")
    chosen = options.parse_args()
    rounds, seconds = (1, 1.0) if chosen.quick else (3, 4.0)
    rows = []
    with tempfile.TemporaryDirectory() as name, closing(databases.each(Path(name), chosen.only)) as each:
        for database, url in each:
            engine = open_engine(url)
            track.make_product(engine)
            with track.serving(url, RESEND_WEBHOOK_SECRET=SECRET) as server:
                rows += [[database, *measure(engine, server, clients, rounds, seconds)] for clients in CLIENTS]
            engine.dispose()
    show(
        f"Webhooks, committed when answered, at a load of {os.getloadavg()[0]:.0f}",
        [
            "database",
            "clients",
            "posts/s",
            "p50",
            "p99",
            "longest",
            "CPU a post",
            "to an event's",
            "CPU, refused",
        ],
        rows,
    )


def measure(engine: Engine, server: track.Server, clients: int, rounds: int, seconds: float) -> list[str]:
    """Let them come in turns: posts, events, forged posts."""
    posts: list[dict[str, Any]] = []
    ratios, refused = [], []
    for _ in range(rounds):
        before = _count(engine)
        posts.append(track.asked(server, "benchmarks.webhook_clients", SECRET, clients, seconds))
        assert _count(engine) - before == posts[-1]["requests"]
        events = track.asked(server, "benchmarks.track_clients", server.key, clients, 1, seconds)
        ratios.append(_cpu(posts[-1]) / _cpu(events))
        refused.append(
            _cpu(track.asked(server, "benchmarks.webhook_clients", FORGED, clients, seconds / 4, answer="400"))
        )
        assert _count(engine) - before == posts[-1]["requests"]
    return [
        str(clients),
        f"{median(one['requests'] / one['seconds'] for one in posts):,.0f}",
        *(f"{1000 * median(one[part] for one in posts):.1f} ms" for part in ("p50", "p99", "max")),
        f"{1e6 * median(map(_cpu, posts)):.0f} µs",
        f"{median(ratios):.2f}",
        f"{1e6 * median(refused):.0f} µs",
    ]


def _cpu(done: dict[str, Any]) -> float:
    """Seconds of the server's processor time for a request."""
    used: float = done["cpu"] / done["requests"]
    return used


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        count: int = connection.execute(text("SELECT COUNT(*) FROM skene_webhooks")).scalar_one()
        return count


if __name__ == "__main__":
    main()
