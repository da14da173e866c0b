"""Two hundred recipients who say "no" at once: what they wait while the database is there, busy, and down.

It is busy with a first wave: a run decides about a million users. Each recipient has a link of their own; 200 means
committed, or on disk. Against the same clients asking for /healthz, which does nothing; rounds alternate. At the end
the database is started again, and what was kept on disk has to arrive in it.
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
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import Engine, text

from benchmarks import databases, product
from benchmarks.refresh import refresh
from benchmarks.reserve import reserve_all
from benchmarks.shown import show
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.consent.tokens import Signer, Token
from skene_dagster.store.engine import open_engine

CLIENTS = 200
BODY = b"List-Unsubscribe=One-Click"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="one round of each")
    options.add_argument("--users", type=int, metavar="N", help="decided about, a multiple of 1,000; three rounds")
    asked = options.parse_args()
    is_quick = asked.quick
    rounds, users = (1, 20_000) if is_quick else (3, asked.users) if asked.users else (10, 1_000_000)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        with databases.mortal_mariadb(root / "server") as server:
            project = product.write_project(root / "project")
            with product.opened(server.url, users, dormant=1.0) as engine:
                tokens = _tokens(engine, 3 * rounds * CLIENTS)
                plan, settings = product.planned(project, server.url)
                refresh(engine, plan, settings, 0)
                with serving(server.url, root) as port:
                    there = alternating(port, tokens[::3])
                    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                        deciding = process.submit(_decide, project, server.url)
                        while not _has_begun(engine):
                            time.sleep(0.02)
                        busy = alternating(port, tokens[1::3])
                        is_over = deciding.done()
                        deciding.result()
                    server.kill()
                    down = alternating(port, tokens[2::3])
                    server.start()
                    began = time.perf_counter()
                    while not Spool(root / ".skene" / "spool").is_empty():
                        time.sleep(0.02)
                    drained = time.perf_counter() - began
                kept = _kept(engine)
    assert is_quick or not is_over, "all were decided before everybody had said no"
    assert kept == 2 * len(tokens), f"{kept} rows of {len(tokens)} who said no"
    show(
        f"{CLIENTS} at once, {rounds} rounds",
        ["MariaDB is", "p50", "p99", "p50, to /healthz", "p99, to /healthz"],
        [["there", *_shown(there)], ["busy", *_shown(busy)], ["down", *_shown(down)]],
    )
    at_rest, at_work, without = (_percentile(said, 99) for said, _ in (there, busy, down))
    print(
        f"p99, to there: busy {at_work / at_rest:.2f}, down {without / at_rest:.2f}. "
        f"{rounds * CLIENTS:,} answers were in the database {drained:.1f} s later."
    )


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


def _decide(project: Path, url: str) -> None:
    engine = open_engine(url)
    reserve_all(engine, *product.planned(project, url))
    engine.dispose()


def _has_begun(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(text("SELECT 1 FROM skene_sends LIMIT 1")).first() is not None


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
