"""Who used which feature of TiDB, read from tables as TiDB has them: here they stand in SQLite."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import prepared_tables
import pytest
from event_rows import rows
from sqlalchemy import Connection, Engine, event, text

from skene_dagster.behaviour.event import new_event
from skene_dagster.behaviour.events import Fitted, write
from skene_dagster.documents import Document
from skene_dagster.errors import StoreError
from skene_dagster.loops.tidb_features import Statement
from skene_dagster.settings import TidbUsage, Users
from skene_dagster.store.engine import open_engine
from skene_dagster.tracking import collector, tidb_statements
from skene_dagster.tracking.collector import Collected, check
from skene_dagster.tracking.tidb_statements import Offered, Seen, slow_runs, summary

NOW = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
HERE = Offered(of_cluster=False, by_user=False, everybody=True, evicted=0)
TTL = "create table `t` ( `at` datetime ) ttl = `at` + interval ? day"
CTE = "with `x` as ( select ? ) select * from `x`"
RUN: dict[str, Any] = {
    "stmt_type": "Select",
    "digest": "d",
    "digest_text": CTE,
    "query_sample_text": "WITH x AS (SELECT 1) SELECT * FROM x",
    "plan": "Projection",
    "sample_user": "ada",
    "resource_group": "default",
    "exec_count": 2,
    "sum_errors": 1,
    "first_seen": NOW - HOUR,
    "last_seen": NOW,
    "user": "ben",
}
SLOW: dict[str, Any] = {
    "time": NOW, "user": "ben", "digest": "d", "resource_group": "default", "succ": 1, "is_internal": 0,
}  # fmt: skip
SUMMARY = ("statements_summary", "statements_summary_history")
TABLES: dict[str, dict[str, Any]] = {
    **{f"{of}{name}": RUN for of in ("", "cluster_") for name in SUMMARY},
    **{f"{of}slow_query": SLOW for of in ("", "cluster_")},
    "statements_summary_evicted": {"evicted_count": 1},
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database with what TiDB tells of statements, and three users."""
    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")

    @event.listens_for(engine, "connect")
    def attach(connection: Any, _record: object) -> None:
        connection.execute(f"ATTACH '{tmp_path / 'information_schema.db'}' AS information_schema")

    with engine.begin() as connection:
        for name, columns in TABLES.items():
            connection.execute(text(f"CREATE TABLE information_schema.{name} ({', '.join(columns)})"))
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)"))
        for number, name in enumerate(("ada", "ben", "cleo"), start=1):
            connection.execute(
                text("INSERT INTO users VALUES (:id, :email)"), {"id": number, "email": f"{name}@example.com"}
            )
    prepared_tables.make(engine, Users())
    yield engine
    engine.dispose()


def ran(engine: Engine, table: str = "statements_summary", **changed: object) -> None:
    """Let the server remember that a statement ran."""
    row = TABLES[table] | changed
    values = {
        name: f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value for name, value in row.items()
    }
    with engine.begin() as connection:
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO information_schema.{table} ({names}) VALUES ({marks})"), values)


def seen(engine: Engine, offer: Offered = HERE, since: datetime = NOW - HOUR) -> list[Seen]:
    with engine.connect() as connection:
        return list(summary(connection, offer, since))


def test_what_ran_is_read_with_who_ran_it_and_when(engine: Engine) -> None:
    ran(engine)
    ran(engine, "statements_summary_history", digest="e", plan=None, resource_group=None)

    first = Seen(
        Statement("Select", CTE, str(RUN["query_sample_text"]), "Projection"), "d", "ada", "default", NOW - HOUR
    )
    second = Seen(replace(first.statement, plan=""), "e", "ada", "", NOW - HOUR)
    assert seen(engine) == [first, second]


@pytest.mark.parametrize(
    ("changed", "is_seen"),
    [
        pytest.param({"exec_count": 3, "sum_errors": 2}, True, id="it failed but once"),
        pytest.param({"exec_count": 3, "sum_errors": 3}, False, id="it failed each time"),
        pytest.param({"last_seen": NOW - HOUR}, True, id="as long ago as is asked"),
        pytest.param({"last_seen": NOW - HOUR - TICK}, False, id="longer ago"),
        pytest.param({"sample_user": ""}, False, id="the server's own"),
        pytest.param({"user": ""}, True, id="of many users, who are not told"),
        pytest.param({"query_sample_text": "/* skene_dagster status */ SELECT 1"}, False, id="ours"),
        pytest.param({"query_sample_text": "SELECT /* skene_dagster */ 1"}, False, id="ours, with the label within"),
    ],
)
def test_what_counts_is_what_people_ran(engine: Engine, changed: dict[str, Any], is_seen: bool) -> None:
    ran(engine, **changed)

    assert bool(seen(engine)) == is_seen


def test_a_cluster_and_all_users_are_asked_for_where_the_server_offers_them(engine: Engine) -> None:
    ran(engine, digest="here")
    ran(engine, "cluster_statements_summary", digest="there")
    ran(engine, "cluster_statements_summary", digest="nobodys", user="")

    found = seen(engine, replace(HERE, of_cluster=True, by_user=True))

    assert [(one.digest, one.db_user) for one in found] == [("there", "ben")]


def slow(engine: Engine, offer: Offered = HERE, since: datetime = NOW - 9 * HOUR) -> list[Any]:
    with engine.connect() as connection:
        return list(slow_runs(connection, offer, {"d"}, since, NOW))


@pytest.mark.parametrize(
    ("changed", "is_seen"),
    [
        pytest.param({}, True, id="now"),
        pytest.param({"time": NOW + TICK}, False, id="later"),
        pytest.param({"time": NOW - 9 * HOUR}, True, id="as long ago as is asked"),
        pytest.param({"time": NOW - 9 * HOUR - TICK}, False, id="longer ago"),
        pytest.param({"succ": 0}, False, id="without success"),
        pytest.param({"is_internal": None}, True, id="nobody says that it is the server's own"),
        pytest.param({"is_internal": 1}, False, id="the server's own"),
        pytest.param({"user": ""}, False, id="nobody's"),
        pytest.param({"digest": "e"}, False, id="another statement"),
    ],
)
def test_the_slow_log_tells_who_ran_a_statement(engine: Engine, changed: dict[str, Any], is_seen: bool) -> None:
    ran(engine, "slow_query", **changed)

    run = ("d", "ben", "default", (SLOW | changed)["time"])
    assert slow(engine) == ([run] if is_seen else [])


def test_the_slow_log_is_searched_for_a_day_at_most(engine: Engine) -> None:
    ran(engine, "slow_query", time=NOW - 24 * HOUR, resource_group=None)
    ran(engine, "slow_query", time=NOW - 24 * HOUR - TICK)

    assert slow(engine, since=NOW - 48 * HOUR) == [("d", "ben", "", NOW - 24 * HOUR)]


def test_a_clusters_slow_log_is_read_where_it_is_offered(engine: Engine) -> None:
    ran(engine, "cluster_slow_query")

    assert len(slow(engine, replace(HERE, of_cluster=True))) == 1
    assert slow(engine) == []


@pytest.mark.parametrize(("counts", "sum_"), [([], 0), ([2, 3], 5)])
def test_what_was_forgotten_is_counted(engine: Engine, counts: list[int], sum_: int) -> None:
    for count in counts:
        ran(engine, "statements_summary_evicted", evicted_count=count)

    with engine.connect() as connection:
        assert tidb_statements._evicted(connection) == sum_


def offered(engine: Engine, *statements: str) -> Offered | str:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
        return tidb_statements._offered_by_a_server(connection)


def test_what_a_server_offers_is_told(engine: Engine) -> None:
    ran(engine, "statements_summary_evicted", evicted_count=7)

    assert offered(engine) == Offered(of_cluster=True, by_user=True, everybody=True, evicted=7)


@pytest.mark.parametrize(
    ("statement", "offer"),
    [
        pytest.param(
            "DROP TABLE information_schema.cluster_statements_summary",
            Offered(of_cluster=False, by_user=True, everybody=True, evicted=0),
            id="of one server only",
        ),
        pytest.param(
            "ALTER TABLE information_schema.statements_summary DROP COLUMN user",
            Offered(of_cluster=True, by_user=False, everybody=True, evicted=0),
            id="of one user of each statement",
        ),
    ],
)
def test_what_a_server_does_not_offer_is_done_without(engine: Engine, statement: str, offer: Offered) -> None:
    assert offered(engine, statement) == offer


def test_a_server_without_a_summary_is_told(engine: Engine) -> None:
    said = offered(engine, "DROP TABLE information_schema.statements_summary")

    assert isinstance(said, str)
    assert said.startswith("the server has no statement summary: ")
    with pytest.raises(StoreError):
        offered(
            engine,
            f"CREATE TABLE information_schema.statements_summary ({', '.join(RUN)})",
            "DROP TABLE information_schema.statements_summary_evicted",
        )


USAGE = TidbUsage(db_users={"ada": "ada@example.com", "ben": "ben@example.com"})


def collected(engine: Engine, usage: TidbUsage = USAGE) -> Collected:
    return collector._collect(engine, HERE, usage, Users())


def events(engine: Engine) -> list[tuple[int, str, datetime]]:
    return sorted((row["user_id"], row["name"], row["occurred_at"]) for row in rows(engine))


def test_each_user_has_an_event_for_each_feature_and_half_hour(engine: Engine) -> None:
    at = NOW.replace(minute=10, second=0) - 3 * HOUR
    for minutes in (0, 19, 20, 49):
        ran(engine, digest=f"{minutes}", first_seen=at + timedelta(minutes=minutes))
    ran(engine, digest="ttl", stmt_type="CreateTable", digest_text=TTL, sample_user="ben", first_seen=at)
    ran(engine, digest="none", digest_text="select ?", sample_user="ben")

    found = collected(engine)

    assert events(engine) == [
        (1, "tidb:cte", at),
        (1, "tidb:cte", at + timedelta(minutes=20)),
        (2, "tidb:ttl", at),
    ]
    assert (found.statements, found.written, dict(found.people)) == (6, 3, {"cte": 1, "ttl": 1})
    assert (found.unmapped, found.unknown, found.offer) == ((), 0, HERE)
    assert collected(engine).written == 3
    assert len(events(engine)) == 3


def test_a_use_is_of_the_moment_and_the_statement_that_came_first(engine: Engine) -> None:
    at = NOW.replace(minute=10, second=0) - 3 * HOUR
    for digest, minutes in (("b", 5), ("c", 2), ("a", 2)):
        ran(engine, digest=digest, first_seen=at + timedelta(minutes=minutes))

    collected(engine)

    assert [(row["occurred_at"], row["properties"]) for row in rows(engine)] == [
        (at + timedelta(minutes=2), '{"digest":"a"}')
    ]


def test_who_it_was_is_said_by_the_resource_group_before_the_database_user(engine: Engine) -> None:
    usage = TidbUsage(db_users={"ada": "ada@example.com"}, resource_groups={"cleos": "cleo@example.com"})
    ran(engine, resource_group="cleos")
    ran(engine, digest="e", digest_text=TTL, stmt_type="CreateTable", resource_group="other")

    collected(engine, usage)

    assert [event[:2] for event in events(engine)] == [(1, "tidb:ttl"), (3, "tidb:cte")]


def test_who_is_not_named_or_unknown_is_told(engine: Engine) -> None:
    usage = TidbUsage(db_users={"ada": "nobody@example.com", "ben": "else@example.com", "cleo": "cleo@example.com"})
    for name in ("ada", *(f"u{n:02}" for n in range(21, 0, -1))):
        ran(engine, digest=name, sample_user=name)

    found = collected(engine, usage)

    assert found.unmapped == tuple(f"u{n:02}" for n in range(1, 21))
    assert (found.unknown, found.written) == (2, 0)


def test_an_address_is_found_however_it_is_spelled_there_and_once(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO users VALUES (4, 'ben@example.com')"))
    ran(engine)
    ran(engine, digest="e", sample_user="ben")

    found = collected(engine)

    assert [event[0] for event in events(engine)] == [1]
    assert found.unknown == 1


def test_addresses_that_are_no_users_are_errors_at_their_place(engine: Engine) -> None:
    usage = TidbUsage(db_users={"ada": "ada@example.com", "x": "x@example.com"}, resource_groups={"y": "y@example.com"})

    with engine.connect() as connection:
        wrong = check(connection, usage, Users(), Document("skene.yaml", {}))

    assert [one.message for one in wrong] == [
        "Not one user has the address 'x@example.com'.",
        "Not one user has the address 'y@example.com'.",
    ]


@pytest.mark.parametrize(("slow_log", "users"), [(True, [1, 2]), (False, [1])])
def test_the_slow_log_names_others_only_where_it_is_wanted(engine: Engine, slow_log: bool, users: list[int]) -> None:
    ran(engine)
    ran(engine, "slow_query")

    collected(engine, TidbUsage(db_users=USAGE.db_users, slow_log=slow_log))

    assert [event[0] for event in events(engine)] == users


@pytest.mark.parametrize(
    ("last_event", "last_seen", "is_found"),
    [
        pytest.param(None, 7 * 24 * HOUR - HOUR, True, id="a week at first"),
        pytest.param(None, 7 * 24 * HOUR + HOUR, False, id="and no longer"),
        pytest.param(10 * HOUR, 12 * HOUR, True, id="two hours more than the last event"),
        pytest.param(10 * HOUR, 12 * HOUR + TICK, False, id="and no longer than those"),
        pytest.param(9 * 24 * HOUR, 7 * 24 * HOUR + HOUR, False, id="a week at most"),
    ],
)
def test_the_server_is_asked_what_ran_since_some_time_before_the_last_event(
    engine: Engine, last_event: timedelta | None, last_seen: timedelta, is_found: bool
) -> None:
    if last_event is not None:
        with engine.connect().execution_options(skene_writes=True) as connection:
            told(connection, NOW - last_event)
    ran(engine, last_seen=NOW - last_seen)

    assert collected(engine).statements == is_found


def told(connection: Connection, at: datetime) -> None:
    one = new_event(3, "tidb:ttl", at=at)
    write(connection, [Fitted(one.event_id, 3, one.name, at, None)])
    connection.commit()


def test_on_sqlite_there_is_nothing_to_collect(engine: Engine) -> None:
    assert collector.collect(engine, USAGE, Users()) == "SQLite, the embedded database, has none of TiDB's features"


def test_events_are_written_some_at_a_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "BATCH", 2)
    for n in range(5):
        ran(engine, digest=f"{n}", first_seen=NOW - n * HOUR)

    assert collected(engine).written == 5
    assert len(events(engine)) == 5
