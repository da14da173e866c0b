"""Where to measure: SQLite always, MariaDB and TiDB where they are; each with an empty database of its own."""

import os
import sys
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

sys.path.append(str(Path(__file__).parents[1] / "tests"))

# How to start a server is known to the tests.
import servers


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    """Yield the URL of a database file."""
    yield f"sqlite:///{folder / 'skene.db'}"


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Yield the URL of a database on a server started here, set up as one that must survive a power cut."""
    with servers.mariadb(folder) as server:
        # The tests' server is small and forgets: nobody's production does.
        _set(server, "innodb_flush_log_at_trx_commit = 1", f"innodb_buffer_pool_size = {1024**3}")
        with servers.new_database(server, _name()) as url:
            yield url


@contextmanager
def mortal_mariadb(folder: Path) -> Iterator[servers.MortalMariadb]:
    """Start a MariaDB that can be killed, and started again on its data."""
    folder.mkdir()
    server = servers.MortalMariadb(folder)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def tidb(folder: Path) -> Iterator[str]:
    """Yield the URL of a database on a TiDB server started here, on its embedded store."""
    with servers.tidb(folder) as server:
        # TiDB 8.5, 2026-11: for a page of an index the embedded store reads all that follows it; TiKV does not.
        _set(server, "tidb_enable_paging = OFF")
        with servers.new_database(server, _name()) as url:
            yield url


@contextmanager
def given(_folder: Path) -> Iterator[str]:
    """Yield the URL of a database on the server that SKENE_BENCH_URL names (without a database)."""
    with servers.new_database(os.environ["SKENE_BENCH_URL"], _name()) as url:
        yield url


Start = Callable[[Path], AbstractContextManager[str]]


def all_of_them() -> dict[str, Start]:
    """List what can be measured on here, by name."""
    if "SKENE_BENCH_URL" in os.environ:
        return {"SQLite": sqlite, "SKENE_BENCH_URL": given}
    return {"SQLite": sqlite, "MariaDB": mariadb, "TiDB": tidb}


def each(folder: Path, only: str | None = None) -> Generator[tuple[str, str], None, None]:
    """Yield the databases that are there, one running at a time: name, URL. What is absent is said.

    To be closed: the server stops then.

    Args:
        only: the name of one of them.
    """
    for name, start in all_of_them().items():
        if only not in (None, name):
            continue
        own = folder / name.lower()
        own.mkdir()
        try:
            with start(own) as url:
                yield name, url
        except servers.Absent as absent:
            print(f"Not measured on {name}: {absent}.")


def _set(server: str, *settings: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in settings:
            connection.execute(text(f"SET GLOBAL {setting}"))
    engine.dispose()


def _name() -> str:
    return f"skene_bench_{uuid.uuid4().hex}"
