"""Every connection means the same by time and text, nothing is made before it is used, and refusals are sentences."""

import socket
import ssl
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import certifi
import pytest
from sqlalchemy import Engine, event, text

from skene_dagster.errors import SettingsError, StoreError, StoreUnavailable
from skene_dagster.settings import Users
from skene_dagster.store.engine import database_clock, is_sqlite, open_engine, transaction, users_table
from skene_dagster.store.server import connections

on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("", "is not a database URL", id="nothing"),
        pytest.param("skene.db", "is not a database URL", id="a file name"),
        pytest.param("postgres://me:secret@host/db", "use its MySQL endpoint", id="postgres"),
        pytest.param("postgresql+psycopg://me:secret@host/db", "use its MySQL endpoint", id="postgresql"),
        pytest.param("mysql+mysqldb://me:secret@host/db", "'mysql+mysqldb', which is not", id="another driver"),
        pytest.param("oracle://me:secret@host/db", "'oracle', which is not", id="another database"),
        pytest.param("mysql+pymysql://me:secret@host:4000", "names no database", id="no database"),
        pytest.param("mysql+pymysql://me@host/db?resource_group=a;b", "up to 32 letters", id="no resource group"),
        pytest.param("sqlite://", "names no file", id="no file"),
        pytest.param("sqlite:///:memory:", "names no file", id="memory"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_words(url: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        open_engine(url)

    assert words in str(refused.value)
    assert "secret" not in str(refused.value)


class Looked(Exception):
    """Nobody is connected to."""


def test_a_certificate_in_the_url_is_verified_with_the_hosts_name() -> None:
    given: dict[str, object] = {}
    engine = open_engine(f"mysql://me@host:4000/db?ssl_ca={certifi.where()}&ssl_verify_cert=false")

    @event.listens_for(engine, "do_connect")
    def look(_dialect: object, _record: object, _args: object, arguments: dict[str, object]) -> None:
        given.update(arguments)
        raise Looked

    with pytest.raises(Looked):
        engine.connect()

    context = given["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.get_ca_certs()
    assert not {"ssl_ca", "ssl_verify_cert", "ssl_verify_identity"} & given.keys()


def test_nothing_is_made_before_the_database_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    engine = open_engine(f"sqlite:///{folder / 'skene.db'}")
    before = folder.exists()

    transaction(engine, lambda connection: connection.execute(text("SELECT 1")))
    engine.dispose()

    assert not before
    assert (folder / "skene.db").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    engine = open_engine(f"sqlite:///{tmp_path / 'file' / 'skene.db'}")

    with pytest.raises(StoreError, match="cannot be created"):
        transaction(engine, lambda connection: connection.execute(text("SELECT 1")))


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "skene.db").write_text("This is a letter to a friend, and no database at all. " * 20, encoding="utf-8")
    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")

    with pytest.raises(StoreError, match="file is not a database"):
        transaction(engine, lambda connection: connection.execute(text("SELECT 1")))
    engine.dispose()


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}")

    with pytest.raises(StoreError, match="is not a file"):
        transaction(engine, lambda connection: connection.execute(text("SELECT 1")))


def test_a_server_that_is_not_there_is_worth_a_retry() -> None:
    engine = open_engine("mysql://me:secret@127.0.0.1:1/db")

    with pytest.raises(StoreUnavailable, match="cannot be reached") as away:
        transaction(engine, lambda connection: connection.execute(text("SELECT 1")))

    assert away.value.retryable
    assert "secret" not in str(away.value)


@pytest.mark.parametrize("patience", [0.1, None], ids=["where patience is limited", "and everywhere"])
def test_a_server_that_takes_a_connection_and_is_silent_is_given_up(
    patience: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = open_engine(f"mysql://me:secret@127.0.0.1:{silent.getsockname()[1]}/db", patience=patience)

        with pytest.raises(StoreUnavailable, match=r"reached|answer"):
            transaction(engine, lambda connection: connection.execute(text("SELECT 1")))


@on_servers
def test_a_statement_may_take_longer_than_a_connection(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 2)
    engine = open_engine(database_url)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT SLEEP(2.5)")).scalar_one() == 0

    engine.dispose()


@on_servers
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has other options")
def test_a_server_whose_machine_is_gone_is_noticed_while_a_statement_takes_its_time(engine: Engine) -> None:
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        idle, between, count, unheard = (
            driver._sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, option))
            for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        )
        assert driver._sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1

    assert idle + between * count == connections.GONE_SECONDS == unheard / 1000


@on_servers
@pytest.mark.parametrize(
    ("user", "database", "words"),
    [
        pytest.param("nobody", "", "Check the user and password", id="a wrong user"),
        pytest.param("", "nowhere", "Create the database", id="a database that is not there"),
    ],
)
def test_a_server_that_refuses_us_says_why(engine: Engine, user: str, database: str, words: str) -> None:
    url = engine.url.set(database=database or engine.url.database)
    url = url.set(username=user, password="secret") if user else url
    other = open_engine(url.render_as_string(hide_password=False))

    with pytest.raises(StoreError, match=words) as refused:
        transaction(other, lambda connection: connection.execute(text("SELECT 1")))

    assert not refused.value.retryable
    assert "secret" not in str(refused.value)


@on_servers
def test_every_connection_to_a_server_means_the_same(engine: Engine) -> None:
    question = text("SELECT @@time_zone, @@collation_connection, @@character_set_client, 'a' = 'A', @@sql_mode")

    with engine.connect() as connection:
        zone, collation, charset, alike, mode = connection.execute(question).one()
        level = connection.get_isolation_level()

    assert (zone, collation, charset, alike, level) == ("+00:00", "utf8mb4_bin", "utf8mb4", 0, "READ COMMITTED")
    assert "STRICT_TRANS_TABLES" in mode


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_long_list_of_values_is_compared_as_it_is_and_not_made_a_table(engine: Engine) -> None:
    listed = ", ".join(f"'u{n}@example.com'" for n in range(5_000))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (id INT PRIMARY KEY, email VARCHAR(255)) COLLATE utf8mb4_bin"))
        connection.execute(text("INSERT INTO people VALUES (1, 'u1@example.com'), (2, 'b@example.com')"))
        plan = connection.execute(text(f"EXPLAIN SELECT id FROM people WHERE LOWER(email) IN ({listed})")).all()

    assert [row.select_type for row in plan] == ["SIMPLE"]


@pytest.mark.parametrize("database_url", ["tidb"], indirect=True)
def test_the_sessions_of_a_url_with_a_resource_group_work_in_it(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("CREATE RESOURCE GROUP IF NOT EXISTS growth RU_PER_SEC = 2000 BURSTABLE"))
    ours = open_engine(with_group(engine, "growth"))

    with ours.connect() as connection:
        group = connection.execute(text("SELECT CURRENT_RESOURCE_GROUP()")).scalar()
    ours.dispose()

    assert group == "growth"


@on_servers
def test_a_resource_group_that_cannot_be_used_is_told(engine: Engine) -> None:
    ours = open_engine(with_group(engine, "nobodys"))

    with pytest.raises(
        StoreError, match=r"^The resource group 'nobodys' cannot be used: .* \(\d+\)\. Create it "
    ) as told:
        transaction(ours, lambda _connection: None)

    assert not told.value.retryable


@on_sqlite
@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30_000)],
)
def test_every_connection_to_a_file_is_safe_for_several_processes(engine: Engine, pragma: str, value: object) -> None:
    with engine.connect() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


def test_like_tells_case_apart(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 'abc' LIKE 'A%'")).scalar_one() == 0


@on_sqlite
@pytest.mark.parametrize(("patience", "milliseconds"), [(0.5, 500), (None, 30_000)], ids=["as was asked", "else 30 s"])
def test_a_file_that_another_writes_is_waited_for(database_url: str, patience: float | None, milliseconds: int) -> None:
    engine = open_engine(database_url, patience=patience)

    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == milliseconds
    engine.dispose()


@on_sqlite
def test_many_may_open_a_new_file_at_once(database_url: str) -> None:
    start = threading.Barrier(8)
    modes = []

    def use() -> None:
        engine = open_engine(database_url)
        start.wait()
        modes.append(transaction(engine, lambda c: c.execute(text("PRAGMA journal_mode")).scalar_one()))
        engine.dispose()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert modes == ["wal"] * 8


def test_the_clock_is_the_databases_in_utc(engine: Engine) -> None:
    clock = database_clock(engine)

    now = clock()

    there = datetime.now(timezone.utc).replace(tzinfo=None)
    assert now.tzinfo is None
    assert abs(now - there) < timedelta(seconds=30)  # one machine, but a busy one
    assert clock() >= now


@on_servers
def test_a_machine_whose_clock_is_wrong_goes_by_the_databases(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    true = datetime.now(timezone.utc).replace(tzinfo=None)
    monkeypatch.setattr("skene_dagster.store.engine._utc_now", lambda: true - timedelta(hours=2))

    assert abs(database_clock(engine)() - true) < timedelta(seconds=30)


def test_the_users_table_may_be_of_another_schema() -> None:
    table = users_table(Users(table="shop.customers", key="number"), "email", "number")

    assert (table.schema, table.name, [column.name for column in table.c]) == ("shop", "customers", ["number", "email"])


def test_a_file_and_a_server_are_told_apart(engine: Engine, request: pytest.FixtureRequest) -> None:
    assert is_sqlite(engine) == ("sqlite" in request.node.name)


def with_group(engine: Engine, group: str) -> str:
    url = engine.url.update_query_dict({"resource_group": group})
    return url.render_as_string(hide_password=False)
