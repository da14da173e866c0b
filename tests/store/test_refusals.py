"""What the database refuses is told in words that say what to do, and nothing is sent that it could not note."""

import random
import sqlite3
import string
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from delivery_world import LIVE, World, make_world
from refusing import another_user, do, read_only
from sqlalchemy import Connection, Engine, event, inspect, text

from skene_dagster.errors import StoreError, StoreTooLarge, StoreUnavailable
from skene_dagster.store.engine import is_sqlite, open_engine, transaction
from skene_dagster.store.failures import translated

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_mariadb = pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def test_a_database_that_takes_no_writes_is_told_and_nothing_is_sent(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)

    with read_only(world.engine) as engine, pytest.raises(StoreError) as refused:
        world.deliver(LIVE, engine=engine)
    tried = list(world.provider.tried)
    world.deliver(LIVE)

    assert "cannot be written" in str(refused.value) or "read-only" in str(refused.value)
    # A failover passes; a file that this user may not write stays so.
    assert refused.value.retryable != is_sqlite(world.engine)
    assert tried == []
    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]


@on_mariadb
def test_a_transaction_that_may_only_read_is_told_like_a_server_that_may(engine: Engine) -> None:
    do(engine, "CREATE TABLE things (id INTEGER)")

    def write(connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("START TRANSACTION READ ONLY")
        connection.execute(text("INSERT INTO things VALUES (1)"))

    with pytest.raises(StoreUnavailable, match=r"accepts no writes: it is read-only: .* \(1792\)"):
        transaction(engine, write)


@on_sqlite
def test_a_disk_that_is_full_is_told_and_nothing_is_sent(world: World) -> None:
    noise = random.Random(0)
    for n in range(1, 61):
        world.add(n, name="".join(noise.choices(string.ascii_letters, k=100)))
    world.refresh()
    world.reserve(LIVE)
    with closing(sqlite3.connect(str(world.engine.url.database))) as plain:
        plain.execute("VACUUM")
        (pages,) = plain.execute("PRAGMA page_count").fetchone()
    full = open_engine(world.engine.url.render_as_string())

    @event.listens_for(full, "connect")
    def bound(dbapi_connection: Any, _record: object) -> None:
        # Not a page more than there is: as a disk without room.
        dbapi_connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StoreUnavailable, match="has no space left: database or disk is full") as refused:
        world.deliver(LIVE, engine=full)
    full.dispose()
    tried = list(world.provider.tried)
    world.deliver(LIVE)

    assert "Free disk space" in refused.value.advice
    assert tried == []
    assert len(world.provider.mailed) == 60


@on_mariadb
@pytest.mark.parametrize(
    ("number", "said", "kind", "words"),
    [
        pytest.param(1021, "Disk full (/tmp); waiting", StoreUnavailable, "no space left", id="disk full"),
        pytest.param(1114, "The table 'x' is full", StoreUnavailable, "no space left", id="table full"),
        pytest.param(1026, "Error writing file (Errcode: 28 No space left)", StoreUnavailable, "no space", id="28"),
        pytest.param(1026, "Error writing file (Errcode: 13 Permission denied)", StoreError, "refused", id="not 28"),
        pytest.param(1030, "Got error 28 from storage engine", StoreUnavailable, "no space left", id="error 28"),
        pytest.param(1105, "[tikv:x] tikv disk full", StoreUnavailable, "no space left", id="TiKV is full"),
        pytest.param(1836, "Running in read-only mode", StoreUnavailable, "read-only", id="TiDB is read-only"),
        pytest.param(1290, "running with the --secure-file-priv option", StoreError, "refused", id="another option"),
        pytest.param(1203, "too many active connections", StoreUnavailable, "no connection", id="a user's sessions"),
        pytest.param(1226, "exceeded the 'max_user_connections'", StoreUnavailable, "no connection", id="a resource"),
        pytest.param(1153, "Got a packet bigger", StoreTooLarge, "max_allowed_packet", id="a packet"),
        pytest.param(1205, "Lock wait timeout exceeded", StoreUnavailable, "was busy", id="a lock"),
        pytest.param(8121, "privilege check for 'Update' fail", StoreError, "docs/tidb.md", id="TiDB: no right"),
        pytest.param(1366, "Incorrect value 'disk is full'", StoreError, "refused", id="a value that sounds like it"),
    ],
)  # fmt: skip
def test_what_a_server_says_by_number_is_told_by_what_it_means(
    engine: Engine, number: int, said: str, kind: type[StoreError], words: str
) -> None:
    # The server itself answers with this number.
    signal = f"BEGIN NOT ATOMIC SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = %s; END"

    with pytest.raises(StoreError) as refused, translated(), engine.connect() as connection:
        connection.exec_driver_sql(signal, (said,))

    assert type(refused.value) is kind
    assert words in str(refused.value)
    assert f"({number})" in str(refused.value)


@on_servers
def test_a_set_that_may_not_be_written_is_told_before_any_email_leaves(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)
    database = world.engine.url.database
    ours = [name for name in inspect(world.engine).get_table_names() if name.startswith("skene_")]
    rights = [f"GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.{name} TO {{us}}" for name in ours]
    rights.append(f"GRANT SELECT ON {database}.users TO {{us}}")

    with another_user(world.engine, *rights) as engine, pytest.raises(StoreError) as refused:
        world.deliver(LIVE, engine=engine)
    tried = list(world.provider.tried)
    world.deliver(LIVE)

    assert "No email is sent, because `set` could not be written (reminded of users)" in str(refused.value)
    assert "docs/tidb.md" in refused.value.advice
    assert not refused.value.retryable
    assert tried == []
    assert world.reminded() == {1, 2}
