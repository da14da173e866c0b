"""What skene.yaml says of tables and columns that is not so in the database is told at its setting."""

from collections.abc import Sequence
from pathlib import Path

import prepared_tables
import pytest
from sqlalchemy import Engine, text

from skene_dagster.checks.event_sources import check_events
from skene_dagster.checks.preflight import check_topics, check_users, nullable_columns
from skene_dagster.errors import SkeneError
from skene_dagster.settings import Users, load, read_settings
from skene_dagster.store.engine import is_sqlite


@pytest.fixture
def database(engine: Engine) -> Engine:
    with engine.begin() as connection:
        for sql in (
            (
                "CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY, email VARCHAR(255), Name VARCHAR(99) NOT NULL, "
                "created_at DATETIME, seen BIGINT, verified INTEGER)"
            ),
            (
                "CREATE TABLE clicks (id BIGINT NOT NULL PRIMARY KEY, user_id BIGINT, code VARCHAR(20), "
                "name VARCHAR(99), at DATETIME, number BIGINT, size BIGINT, share DOUBLE)"
            ),
            "INSERT INTO users VALUES (1, 'u@example.com', 'U', '2026-01-01 00:00:00', 1767225600, 1)",
            "INSERT INTO clicks VALUES (1, 1, 'x', 'y', '2026-01-01 00:00:00', 1767225600, 5, 0.5)",
        ):
            connection.execute(text(sql))
    return engine


def told(errors: Sequence[SkeneError]) -> list[tuple[str, str]]:
    """Each error's setting, and its first words."""
    return [(error.place.part if error.place else "", error.message) for error in errors]


def users_of(database: Engine, root: Path, said: str) -> list[tuple[str, str]]:
    (root / "skene.yaml").write_text(said, encoding="utf-8")
    with database.connect() as connection:
        return told(check_users(connection, load(root, {}).users, read_settings(root)))


def events_of(database: Engine, root: Path, said: str) -> list[tuple[str, str]]:
    (root / "skene.yaml").write_text(said, encoding="utf-8")
    with database.connect() as connection:
        return told(check_events(connection, load(root, {}), read_settings(root)))


NO_COLUMN = "Table 'users' has no column {!r}."


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param("users: {name: NAME}", [], id="all is there"),
        pytest.param("users: {table: userz}", [("users.table", "Table 'userz' is not in the database")], id="no table"),
        pytest.param("users: {key: nr}", [("users.key", NO_COLUMN.format("nr"))], id="no key"),
        pytest.param("users: {key: email}", [("users.key", "Column 'email' is not the primary key")], id="another key"),
        pytest.param("users: {name: nam}", [("users.name", NO_COLUMN.format("nam"))], id="no such name"),
        pytest.param(
            "users: {name: nam, timezone: zone, locale: language}",
            [
                ("users.name", NO_COLUMN.format("nam")),
                ("users.timezone", NO_COLUMN.format("zone")),
                ("users.locale", NO_COLUMN.format("language")),
            ],
            id="three that are not",
        ),
        pytest.param(
            "users: {created_at: born, updated_at: changed}",
            [
                ("users.created_at", NO_COLUMN.format("born")),
                ("users.updated_at", NO_COLUMN.format("changed")),
            ],
            id="moments that are not",
        ),
        pytest.param("users: {created_at: created_at}", [], id="a moment"),
        pytest.param("users: {created_at: seen}", [("users.created_at", "")], id="numbers without a unit"),
        pytest.param("users: {mailable: verified = 1}", [], id="who may be mailed"),
        pytest.param(
            "users: {mailable: verfied = 1}",
            [("users.mailable", "The database refuses this SQL:")],
            id="SQL fails",
        ),
        pytest.param("users: {mailable: seen < NOW()}", [("users.mailable", "")], id="SQL over numbers"),
        pytest.param("users: {mailable: verified}", [], id="a yes or no"),
        pytest.param("users: {mailable: name}", [("users.mailable", "name is a text, which is")], id="a text"),
        pytest.param("users: {mailable: users.`Name`}", [("users.mailable", "Name is a text")], id="a quoted text"),
        pytest.param("users: {mailable: name = 'U'}", [], id="a text that is compared"),
        pytest.param(
            "users: {name: nam, mailable: seen < NOW()}",
            [("users.name", NO_COLUMN.format("nam")), ("users.mailable", "")],
            id="a column, and SQL over numbers",
        ),
    ],
)
def test_what_is_not_so_of_the_users_is_told(
    database: Engine, tmp_path: Path, said: str, expected: list[tuple[str, str]]
) -> None:
    found = users_of(database, tmp_path, said)

    assert [part for part, _ in found] == [part for part, _ in expected]
    assert all(message.startswith(words) for (_, message), (_, words) in zip(found, expected, strict=True))


ASKED = "topics.tips.asked"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param("created_at", [], id="a moment"),
        pytest.param("CASE WHEN verified = 1 THEN created_at END", [], id="a moment on a condition"),
        pytest.param("(SELECT MAX(at) FROM clicks WHERE user_id = users.id)", [], id="another table's moment"),
        pytest.param("FROM_UNIXTIME(seen)", [], id="seconds that are made a moment"),
        pytest.param("creatd_at", [(ASKED, "The database refuses this SQL:")], id="no such column"),
        pytest.param("verified", [(ASKED, "verified is a number")], id="a yes or no"),
        pytest.param("seen", [(ASKED, "seen is a number")], id="seconds"),
    ],
)
def test_what_is_not_so_of_who_agreed_is_told(
    database: Engine, tmp_path: Path, asked: str, expected: list[tuple[str, str]]
) -> None:
    said = f"topics:\n  tips:\n    title: Tips\n    default: off\n    asked: {asked}\n"
    (tmp_path / "skene.yaml").write_text(said, encoding="utf-8")

    with database.connect() as connection:
        errors = check_topics(connection, load(tmp_path, {}), read_settings(tmp_path))

    assert [part for part, _ in told(errors)] == [part for part, _ in expected]
    assert all(message.startswith(words) for (_, message), (_, words) in zip(told(errors), expected, strict=True))
    assert all(error.place is not None and error.place.line == 5 for error in errors)


CLICKS = "events: {table: clicks, at: at, name: name, user: user_id%s}"
FEATURE = "\nfeatures: {{big: {{title: Big, sql: {}}}}}"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(CLICKS % "", [], id="all is there"),
        pytest.param(
            "events: {table: clickz}", [("events.table", "Table 'clickz' is not in the database.")], id="no table"
        ),
        pytest.param(
            "events: {table: clicks, key: nr, user: who, name: what, at: then, arrived: later}",
            [
                (f"events.{field}", f"Table 'clicks' has no column {column!r}.")
                for field, column in (
                    ("key", "nr"),
                    ("user", "who"),
                    ("name", "what"),
                    ("at", "then"),
                    ("arrived", "later"),
                )
            ],
            id="no such columns",
        ),
        pytest.param(
            "events: {table: clicks, at: at, name: name, user: share}",
            [("events.user", "clicks.share is double")],
            id="users of a type that nothing is exact in",
        ),
        pytest.param("events: {table: clicks, at: at, name: name, user: code}", [], id="users as texts"),
        pytest.param(
            "events: {table: clicks, at: at, name: name, user: {column: code, is: Name}}",
            [("events.user", "users.Name is not unique by any index: a row of clicks might name several users.")],
            id="users by a column that is not unique",
        ),
        pytest.param(
            "events: {table: clicks, at: at, name: name, user: {column: code, is: nick}}",
            [("events.user", "Table 'users' has no column 'nick'.")],
            id="users by a column that is not there",
        ),
        pytest.param(
            "events: {table: clicks, at: number, name: name, user: user_id}",
            [("events.at", "")],
            id="numbers as moments",
        ),
        pytest.param(CLICKS % ", arrived: number", [("events.arrived", "")], id="numbers of arrival"),
        pytest.param(CLICKS % "" + FEATURE.format("size > 1"), [], id="a feature"),
        pytest.param(
            CLICKS % "" + FEATURE.format("sizze > 1"),
            [("features.big.sql", "The database refuses this SQL:")],
            id="a feature whose SQL fails",
        ),
        pytest.param(
            CLICKS % "" + FEATURE.format("HOUR(number) = 9"),
            [("features.big.sql", "")],
            id="over numbers",
        ),
        pytest.param(
            CLICKS % ", arrived: later" + FEATURE.format("sizze > 1"),
            [("events.arrived", "Table 'clicks' has no column 'later'.")],
            id="no feature is looked at before its events",
        ),
        pytest.param(FEATURE.format("properties = 1 AND nothing = 1"), [], id="our own table that is not there yet"),
    ],
)
def test_what_is_not_so_of_the_events_is_told(
    database: Engine, tmp_path: Path, said: str, expected: list[tuple[str, str]]
) -> None:
    found = events_of(database, tmp_path, said)

    assert [part for part, _ in found] == [part for part, _ in expected]
    assert all(
        message.lower().startswith(words.lower()) for (_, message), (_, words) in zip(found, expected, strict=True)
    )


def test_sql_over_our_own_table_is_looked_at_once_it_is_there(database: Engine, tmp_path: Path) -> None:
    prepared_tables.make(database, Users())

    found = events_of(database, tmp_path, FEATURE.format("propertiez IS NULL"))

    assert [(part, message.partition(":")[0]) for part, message in found] == [
        ("features.big.sql", "The database refuses this SQL")
    ]


def test_columns_that_may_be_null_are_named_in_small_letters(database: Engine) -> None:
    with database.connect() as connection:
        assert nullable_columns(connection, Users()) == {"email", "created_at", "seen", "verified"}
        schema = "main" if is_sqlite(database) else database.url.database
        assert nullable_columns(connection, Users(table=f"{schema}.users")) == {
            "email",
            "created_at",
            "seen",
            "verified",
        }
