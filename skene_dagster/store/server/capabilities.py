"""What the server can do, found out by trying: versions and offers of TiDB Cloud tell too little.

Asked once per process and database; nothing that is tried changes anything.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import URL, Connection, Engine, literal_column, select, text

from skene_dagster.errors import StoreError, StoreUnavailable
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.failures import translated

PROBES: Mapping[str, str] = MappingProxyType(
    {
        "statement summary": "SELECT 1 FROM information_schema.statements_summary LIMIT 0",
        "resource groups": "SELECT 1 FROM information_schema.resource_groups LIMIT 0",
        "stale reads": "SELECT @@tidb_read_staleness",
        "TTL": "SELECT @@tidb_ttl_job_enable",
        "bulk DML": "SET SESSION tidb_dml_type = 'standard'",
        "max_execution_time": "SELECT @@max_execution_time",
    }
)
"""What is asked for, and a statement that a server takes if it has it."""

_LEAST_TIDB = (7, 5)

_known: dict[URL, "Capabilities"] = {}


@dataclass(frozen=True)
class Capabilities:
    """What a database is, and what it has of PROBES."""

    product: str
    """`TiDB`, `MariaDB`, `MySQL` or `SQLite`."""
    version: tuple[int, ...]
    has: frozenset[str]

    @property
    def name(self) -> str:
        """Product and version: `TiDB 8.5.3`."""
        return f"{self.product} {'.'.join(map(str, self.version))}"

    @property
    def is_too_old(self) -> bool:
        """Whether it is a TiDB that nobody tried this with."""
        return self.product == "TiDB" and self.version < _LEAST_TIDB


def capabilities(engine: Engine) -> Capabilities:
    """Say what the database is and can do.

    Raises:
        StoreUnavailable: it cannot be asked.
    """
    if engine.url not in _known:
        with translated(), engine.connect() as connection:
            _known[engine.url] = probe(connection)
    return _known[engine.url]


def probe(connection: Connection) -> Capabilities:
    """Ask a database what it is and can do."""
    if is_sqlite(connection):
        said = str(connection.execute(select(literal_column("sqlite_version()"))).scalar_one())
        return Capabilities("SQLite", _numbers(said), frozenset())
    said = str(connection.execute(select(literal_column("VERSION()"))).scalar_one())
    product, version = _read(said)
    return Capabilities(product, version, frozenset(name for name, sql in PROBES.items() if _takes(connection, sql)))


def refuse_an_old_server(connection: Connection) -> None:
    """Refuse a server that cannot make the rows of random bytes which the skene_* tables need.

    Raises:
        StoreError: it cannot.
    """
    if not _takes(connection, "SELECT RANDOM_BYTES(1)"):
        raise StoreError(
            f"{probe(connection).name} has no RANDOM_BYTES, which makes the salt and the keys of the skene_* tables. "
            "Nothing was changed.",
            advice="Upgrade the server; MariaDB has it from 10.10 on.",
        )


def _takes(connection: Connection, sql: str) -> bool:
    try:
        with translated():
            connection.execute(text(sql)).close()
    except StoreUnavailable:
        raise
    except StoreError:
        return False
    return True


def _read(said: str) -> tuple[str, tuple[int, ...]]:
    # `8.0.11-TiDB-v8.5.3`, `10.11.6-MariaDB-0+deb12u1`, `8.0.36`
    if tidb := re.search(r"TiDB-v?([\d.]+)", said):
        return "TiDB", _numbers(tidb[1])
    return ("MariaDB" if "MariaDB" in said else "MySQL"), _numbers(said)


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
