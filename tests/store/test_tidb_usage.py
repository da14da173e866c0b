"""Who uses which feature of TiDB, found on a real server: its statement summary, its slow log, its rights."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pymysql
import pytest
from sqlalchemy import Engine, make_url, select, text

from skene_dagster.behaviour.rollup.roll_up import roll_up
from skene_dagster.cli.database import settings_file
from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.jobs.tidb_usage import NAME
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import Settings, TidbUsage, Users, load
from skene_dagster.store import schema
from skene_dagster.store.engine import database_clock, open_engine, transaction
from skene_dagster.store.tables import events, feature_adoption
from skene_dagster.tracking.collector import Collected, check, collect

on_tidb = pytest.mark.parametrize("database_url", ["tidb"], indirect=True)
elsewhere = pytest.mark.parametrize("database_url", ["sqlite", "mariadb"], indirect=True)

ADA, BEN, CLEO = 1, 2, 3
USERS = Users()
TTL = "CREATE TABLE sessions (id INT PRIMARY KEY, at DATETIME) TTL = at + INTERVAL 3 DAY"
CTE = "WITH x AS (SELECT 1 AS n) SELECT n FROM x"


class Server:
    """A server on which people work, each with a database user (and a resource group) of this test's own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.people = {name: f"{name}_{uuid.uuid4().hex[:8]}" for name in ("ada", "ben", "cleo")}
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE users (id BIGINT PRIMARY KEY, email VARCHAR(100))"))
            for number, name in enumerate(self.people, 1):
                row = {"id": number, "email": f"{name}@example.com"}
                connection.execute(text("INSERT INTO users VALUES (:id, :email)"), row)
            for name in self.people.values():
                connection.execute(text(f"CREATE USER {name}"))
                connection.execute(text(f"GRANT ALL ON {engine.url.database}.* TO {name}"))
        schema.upgrade(engine, USERS)

    def drop(self) -> None:
        with self.engine.begin() as connection:
            for name in self.people.values():
                connection.execute(text(f"DROP USER {name}"))
                connection.execute(text(f"DROP RESOURCE GROUP IF EXISTS {name}"))

    def url(self, name: str) -> str:
        return self.engine.url.set(username=self.people[name]).render_as_string(hide_password=False)

    def runs(self, name: str, *statements: str) -> None:
        """One after the other, whether they are refused or not."""
        url = make_url(self.url(name))
        connection = pymysql.connect(
            host=url.host, port=url.port or 4000, user=url.username, database=url.database, autocommit=True
        )
        with connection, connection.cursor() as cursor:
            for statement in statements:
                try:
                    cursor.execute(statement)
                except pymysql.MySQLError:
                    continue

    def of(self, **addresses: str) -> dict[str, str]:
        """What skene.yaml says: whose these database users are."""
        return {self.people[name]: address for name, address in addresses.items()}

    def collected(self, **said: object) -> Collected:
        found = collect(self.engine, TidbUsage.model_validate(said), USERS)
        assert isinstance(found, Collected), found
        return found

    def known(self) -> set[tuple[int, str]]:
        """Who has used what, as events."""
        with self.engine.connect() as connection:
            return {(row.user_id, row.name) for row in connection.execute(select(events.c.user_id, events.c.name))}


@pytest.fixture
def server(engine: Engine) -> Iterator[Server]:
    found = Server(engine)
    yield found
    found.drop()


@contextmanager
def as_of_now(engine: Engine, settings: Settings) -> Iterator[Mapping[tuple[int, str], str]]:
    """Roll up, and yield who is how far with which feature."""
    clock = database_clock(engine)
    roll_up(engine, plan=plan_usage(settings), users=USERS, as_of=clock(), clock=clock, run_id="test")
    with engine.connect() as connection:
        rows = connection.execute(select(feature_adoption))
        yield {(row.user_id, row.feature): row.state for row in rows}


@on_tidb
def test_who_used_a_feature_has_an_event_of_it(server: Server) -> None:
    server.runs("ada", TTL, CTE)
    server.runs("ben", "SELECT 1 + 1")

    found = server.collected(db_users=server.of(ada="ada@example.com", ben="ben@example.com"))

    assert server.known() == {(ADA, "tidb:ttl"), (ADA, "tidb:cte")}
    assert found.people == {"cte": 1, "ttl": 1}
    assert found.offer.everybody
    with server.engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM information_schema.cluster_statements_summary LIMIT 0"))
    assert found.offer.of_cluster


@on_tidb
def test_who_was_refused_a_feature_has_not_used_it(server: Server) -> None:
    server.runs("ada", "CREATE PLACEMENT POLICY nearby FOLLOWERS = 2", TTL)

    server.collected(db_users=server.of(ada="ada@example.com"))

    assert server.known() == {(ADA, "tidb:ttl")}


@on_tidb
def test_collecting_again_changes_nothing(server: Server, engine: Engine) -> None:
    said = {"db_users": server.of(ada="ada@example.com")}
    server.runs("ada", TTL, CTE)
    server.collected(**said)
    with engine.connect() as connection:
        first = connection.execute(select(events)).all()

    server.collected(**said)

    with engine.connect() as connection:
        assert connection.execute(select(events)).all() == first


@on_tidb
def test_a_feature_of_tidb_is_tried_like_any_other(server: Server, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "skene.yaml").write_text("features: {ttl: {title: TTL, events: ['tidb:ttl']}}\n")
    server.runs("ada", TTL)
    server.collected(db_users=server.of(ada="ada@example.com"))

    with as_of_now(engine, load(tmp_path, {})) as states:
        assert states == {(ADA, "ttl"): "tried"}


@on_tidb
def test_a_database_user_that_nobody_named_is_told(server: Server) -> None:
    server.runs("cleo", CTE)

    found = server.collected(db_users=server.of(ada="ada@example.com"))

    assert server.people["cleo"] in found.unmapped
    assert server.known() == set()


@on_tidb
def test_a_resource_group_counts_before_the_database_user(server: Server) -> None:
    group = server.people["ben"]
    with server.engine.begin() as connection:
        connection.execute(text(f"CREATE RESOURCE GROUP {group} RU_PER_SEC = 1000"))
        connection.execute(text(f"ALTER USER {server.people['ada']} RESOURCE GROUP {group}"))
    server.runs("ada", TTL)

    server.collected(db_users=server.of(ada="ada@example.com"), resource_groups={group: "ben@example.com"})

    assert server.known() == {(BEN, "tidb:ttl")}


@on_tidb
def test_the_slow_log_tells_who_else_ran_a_statement(server: Server) -> None:
    said = {"db_users": server.of(ada="ada@example.com", ben="ben@example.com")}
    table = f"t_{uuid.uuid4().hex}"
    same = f"WITH x AS (SELECT id FROM {table}) SELECT id FROM x"
    server.runs("ada", f"CREATE TABLE {table} (id INT PRIMARY KEY)", "SET tidb_slow_log_threshold = 0", same)
    server.runs("ben", "SET tidb_slow_log_threshold = 0", same)

    server.collected(**said)
    by_the_summary = server.known()
    server.collected(**said, slow_log=True)

    assert len(by_the_summary) == 1
    assert server.known() == {(ADA, "tidb:cte"), (BEN, "tidb:cte")}


@on_tidb
def test_who_lacks_the_right_is_told_of_his_own_statements_only(server: Server) -> None:
    server.runs("ada", TTL)
    limited = open_engine(server.url("cleo"))

    usage = TidbUsage.model_validate({"db_users": server.of(ada="ada@example.com", cleo="cleo@example.com")})
    found = collect(limited, usage, USERS)

    assert isinstance(found, Collected)
    assert not found.offer.everybody
    assert server.known() == set()
    limited.dispose()


@on_tidb
def test_what_we_run_as_a_database_user_is_not_his_use(server: Server) -> None:
    ours = open_engine(server.url("cleo"))
    transaction(ours, lambda connection: connection.execute(text("WITH ours AS (SELECT 1 AS n) SELECT n FROM ours")))
    ours.dispose()
    server.runs("cleo", TTL)

    server.collected(db_users=server.of(cleo="cleo@example.com"))

    assert server.known() == {(CLEO, "tidb:ttl")}


@on_tidb
def test_dagster_collects_and_shows_what_it_found(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_DATABASE_URL", server.engine.url.render_as_string(hide_password=False))
    named = ", ".join(f"{name}: {address}" for name, address in server.of(ada="ada@example.com").items())
    (tmp_path / "skene.yaml").write_text(f"tidb_usage: {{db_users: {{{named}, other: nobody@example.com}}}}\n")
    server.runs("ada", TTL)

    with dg.DagsterInstance.ephemeral() as instance:
        result = compile_folder(tmp_path).resolve_job_def(NAME).execute_in_process(instance=instance)

    (made,) = result.asset_materializations_for_node("skene__collect")
    assert server.known() == {(ADA, "tidb:ttl")}
    assert made.metadata["unknown_addresses"].value == 1
    assert "nobody@example.com" not in str([event.message for event in result.all_events])
    assert made.metadata["dagster/row_count"].value == 1


@pytest.fixture
def server_elsewhere(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY, email VARCHAR(100))"))
    schema.upgrade(engine, USERS)
    return engine


@elsewhere
def test_where_nothing_is_offered_it_is_said(server_elsewhere: Engine) -> None:
    usage = TidbUsage.model_validate({"db_users": {"ada": "ada@example.com"}})

    said = collect(server_elsewhere, usage, USERS)

    assert said in {
        "SQLite, the embedded database, has none of TiDB's features",
        "the server has no statement summary: Unknown table 'statements_summary' in information_schema (1109)",
    }


def test_an_address_of_nobody_or_of_several_is_told_at_its_line(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY, email VARCHAR(100))"))
        rows = [{"id": number, "at": f"{name}@example.com"} for number, name in enumerate(["ada", "two", "two"])]
        connection.execute(text("INSERT INTO users VALUES (:id, :at)"), rows)
    (tmp_path / "skene.yaml").write_text(
        "tidb_usage:\n  db_users:\n    a: ada@example.com\n    b: two@example.com\n    c: nobody@example.com\n"
    )
    settings = load(tmp_path, {})
    assert settings.tidb_usage is not None

    with engine.connect() as connection:
        errors = check(connection, settings.tidb_usage, USERS, settings_file(settings))

    assert [str(error.place).split()[0] for error in errors] == ["skene.yaml:4", "skene.yaml:5"]
