"""Two hundred recipients who say "no" at once: what they wait while the database is there, and while it is down.

Each has a link of their own; 200 means committed, or on disk. Against the same clients asking for /healthz, which does
nothing; rounds alternate. At the end the database is started again, and what was kept on disk has to arrive in it.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from benchmarks import databases
from benchmarks.shown import show
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.consent.tokens import Signer, Token
from skene_dagster.settings import Users
from skene_dagster.store import schema
from skene_dagster.store.engine import open_engine

CLIENTS = 200
BODY = b"List-Unsubscribe=One-Click"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="one round of each")
    rounds = 1 if options.parse_args().quick else 10
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        with databases.mortal_mariadb(root / "server") as server:
            engine = open_engine(server.url)
            _product(engine)
            tokens = _tokens(engine, 2 * rounds * CLIENTS)
            engine.dispose()
            with serving(server.url, root) as port:
                there = alternating(port, tokens[: rounds * CLIENTS])
                server.kill()
                down = alternating(port, tokens[rounds * CLIENTS :])
                server.start()
                began = time.perf_counter()
                while not Spool(root / ".skene" / "spool").is_empty():
                    time.sleep(0.02)
                drained = time.perf_counter() - began
            kept = _kept(engine)
            engine.dispose()
    assert kept == 2 * len(tokens), f"{kept} rows of {len(tokens)} who said no"
    show(
        f"{CLIENTS} at once, {rounds} rounds",
        ["MariaDB is", "p50", "p99", "p50, to /healthz", "p99, to /healthz"],
        [["there", *_shown(there)], ["down", *_shown(down)]],
    )
    ratio = _percentile(down[0], 99) / _percentile(there[0], 99)
    print(f"p99 down, to there: {ratio:.2f}. {rounds * CLIENTS:,} answers were in the database {drained:.1f} s later.")


Waited = tuple[list[float], list[float]]
"""Seconds that each waited, who said no, and who asked for nothing."""


def alternating(port: int, tokens: Sequence[str]) -> Waited:
    """Let them come, `CLIENTS` at a time, and between them as many who want nothing."""
    said, asked = [], []
    for start in range(0, len(tokens), CLIENTS):
        paths = [f"POST /u/{token}" for token in tokens[start : start + CLIENTS]]
        asked += asyncio.run(at_once(port, ["GET /healthz"] * CLIENTS, b""))
        said += asyncio.run(at_once(port, paths, BODY))
    return said, asked


async def at_once(port: int, requests: Sequence[str], body: bytes) -> list[float]:
    """Open a connection for each; then all ask."""
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in requests]

    async def ask(request: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
        head = f"{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        began = time.perf_counter()
        writer.write(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + body)
        answer = await reader.read()
        took = time.perf_counter() - began
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
        return took

    return await asyncio.gather(*(ask(one, *stream) for one, stream in zip(requests, streams, strict=True)))


@contextmanager
def serving(url: str, root: Path) -> Iterator[int]:
    """Run `skene-dagster serve --public` on a free port; yield it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKENE_")}
    process = subprocess.Popen(
        [sys.executable, "-c", "from skene_dagster.cli import main; main()", "serve", "--public", "--port", "0"],
        env=kept | {"SKENE_DATABASE_URL": url, "SKENE_PROJECT": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline().split("127.0.0.1:")[1].split()[0])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _product(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT PRIMARY KEY)"))
    schema.upgrade(engine, Users())


def _tokens(engine: Engine, many: int) -> list[str]:
    with engine.connect() as connection:
        signer = Signer.of(connection)
    return [
        signer.sign(Token(f"1:{n:064}", f"u:{n:064}", "product", "marketing", "", "0" * 32, f"{n:032}"))
        for n in range(many)
    ]


def _kept(engine: Engine) -> int:
    with engine.connect() as connection:
        count: int = connection.execute(text("SELECT COUNT(*) FROM skene_suppressions")).scalar_one()
        return count


def _shown(waited: Waited) -> list[str]:
    said, bare = waited
    half, most = (_percentile(said, at) for at in (50, 99))
    ratios = [half / _percentile(bare, 50), most / _percentile(bare, 99)]
    return [f"{1000 * half:.0f} ms", f"{1000 * most:.0f} ms", *(f"{ratio:.2f}" for ratio in ratios)]


def _percentile(seconds: Sequence[float], at: int) -> float:
    return statistics.quantiles(seconds, n=100)[at - 1]


if __name__ == "__main__":
    main()
