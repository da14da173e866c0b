"""The skene_* tables are what store/tables says, with the users key's own type, however they came about."""

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from servers import new_database
from sqlalchemy import Engine, inspect, text
from sqlalchemy.types import NullType, TypeEngine
from transactions import transactions

from skene_dagster.consent.recipient import Recipients
from skene_dagster.errors import SchemaOutdated, SettingsError, SkeneError, StoreError
from skene_dagster.settings import Users
from skene_dagster.store import migrations, schema
from skene_dagster.store.engine import open_engine
from skene_dagster.store.tables import OPEN, metadata

USERS = Users()
LAST = schema.RELEASES[-1]
on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
of_servers = pytest.mark.parametrize("tables", ["mariadb", "tidb"], indirect=True)
each_table = pytest.mark.parametrize("name", sorted(metadata.tables))


def do(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_the_releases_are_the_revisions_in_their_order() -> None:
    folder = Path(migrations.__file__).parent

    revisions = [script.revision for script in ScriptDirectory(folder).walk_revisions()]

    assert tuple(reversed(revisions)) == schema.RELEASES


def migrated(engine: Engine, key: str = "BIGINT") -> None:
    do(engine, f"CREATE TABLE users (id {key} NOT NULL PRIMARY KEY)")
    schema.upgrade(engine, USERS)


@pytest.fixture(scope="module")
def kept() -> Iterator[tuple[ExitStack, dict[str, Engine]]]:
    with ExitStack() as until_the_end:
        yield until_the_end, {}


@pytest.fixture(params=["sqlite", "mariadb", "tidb"])
def tables(
    request: pytest.FixtureRequest, kept: tuple[ExitStack, dict[str, Engine]], tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    """An engine on a database of each kind, which is migrated once for all tests that only look at it."""
    until_the_end, engines = kept
    if request.param not in engines:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('migrated') / 'skene.db'}"
        else:
            server = request.getfixturevalue(request.param)
            url = until_the_end.enter_context(new_database(server, f"skene_{uuid.uuid4().hex}"))
        engine = open_engine(url)
        until_the_end.callback(engine.dispose)
        migrated(engine)
        engines[request.param] = engine
    return engines[request.param]


def test_the_tables_are_those_of_the_code(tables: Engine) -> None:
    assert set(inspect(tables).get_table_names()) - {"users", "skene_schema_version"} == set(metadata.tables)


def kind_of(engine: Engine, declared: TypeEngine[Any]) -> str:
    """Name a type and its length, as the database does; of a whole number it is only how it is shown."""
    words = re.match(r"\w+(\(\d+\))?", declared.compile(engine.dialect))
    assert words is not None
    return re.sub(r"INTEGER|INT", "INT", words[0].partition("(")[0]) if "INT" in words[0] else words[0]


@each_table
def test_a_table_has_the_columns_keys_and_indexes_of_the_code(tables: Engine, name: str) -> None:
    table = metadata.tables[name]

    found = inspect(tables)

    columns = {
        column["name"]: (column["nullable"], kind_of(tables, column["type"])) for column in found.get_columns(name)
    }
    assert columns == {
        # A users key has the type that it has in the users table.
        column.name: (
            column.nullable,
            columns[column.name][1] if isinstance(column.type, NullType) else kind_of(tables, column.type),
        )
        for column in table.columns
    }
    assert found.get_pk_constraint(name)["constrained_columns"] == [column.name for column in table.primary_key]
    indexes = {index["name"]: index["column_names"] for index in found.get_indexes(name)}
    assert indexes == {index.name: [column.name for column in index.columns] for index in table.indexes}


@pytest.mark.parametrize("tables", ["sqlite"], indirect=True)
@each_table
def test_columns_of_the_embedded_database_have_the_types_of_the_code(tables: Engine, name: str) -> None:
    table = metadata.tables[name]

    found = {column["name"]: str(column["type"]) for column in inspect(tables).get_columns(name)}

    own = [column for column in table.columns if not isinstance(column.type, NullType)]
    assert {column.name: found[column.name] for column in own} == {
        column.name: column.type.compile(tables.dialect) for column in own
    }


@of_servers
@each_table
def test_a_servers_columns_have_the_types_of_the_code(tables: Engine, name: str) -> None:
    table = metadata.tables[name]

    found = declared(tables, name)

    for column in table.columns:
        if not isinstance(column.type, NullType):
            wanted = column.type.compile(tables.dialect).lower().replace("integer", "int")
            assert found[column.name][0].split("(")[0] == wanted.split("(")[0]
            if "int" not in wanted:  # TiDB and MariaDB differ in the width that they show
                assert found[column.name][0] == wanted


@of_servers
def test_every_text_is_compared_byte_by_byte(tables: Engine) -> None:
    collations = {
        f"{name}.{column}": collation
        for name in [*metadata.tables, "skene_schema_version"]
        for column, (_, collation) in declared(tables, name).items()
        if collation is not None
    }

    assert set(collations.values()) == {"utf8mb4_bin"}


KEYS = [
    pytest.param("int(11)", None, id="int"),
    pytest.param("bigint(20) unsigned", None, id="bigint unsigned"),
    pytest.param("varchar(36)", "utf8mb4_bin", id="varchar in our collation"),
    pytest.param("varchar(36)", "utf8mb4_general_ci", id="varchar in another"),
    pytest.param("char(26)", "latin1_bin", id="char in another character set"),
    pytest.param("binary(16)", None, id="binary"),
    pytest.param("varbinary(20)", None, id="varbinary"),
]


@on_servers
@pytest.mark.parametrize(("kind", "collation"), KEYS)
def test_user_id_has_the_very_type_and_collation_of_the_users_key(
    engine: Engine, kind: str, collation: str | None
) -> None:
    charset = collation.split("_")[0] if collation else ""
    migrated(engine, f"{kind} CHARACTER SET {charset} COLLATE {collation}" if collation else kind)

    users_key = declared(engine, "users")["id"]

    assert users_key[1] == collation
    assert declared(engine, "skene_segment_members")["user_id"] == users_key
    assert declared(engine, "skene_sends")["user_id"] == users_key


@on_sqlite
@pytest.mark.parametrize(
    "kind", ["INTEGER", "BIGINT", "VARCHAR(36)", "VARCHAR(36) COLLATE NOCASE", "BINARY(16)", "BLOB"]
)
def test_user_id_is_declared_as_the_users_key_is(engine: Engine, kind: str) -> None:
    migrated(engine, kind)

    with engine.connect() as connection:
        made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'skene_sends'")).scalar_one()

    assert f"user_id {kind} NOT NULL" in made


def test_what_is_not_over_is_so_until_the_last_day_that_there_is() -> None:
    assert f"{OPEN:%Y-%m-%d %H:%M:%S.%f}" == "9999-12-31 00:00:00.000000", "it is written in every database"


@pytest.mark.parametrize(
    ("current", "statements", "told"),
    [
        pytest.param(LAST, [], f" are of release {LAST}; nothing is due.\n", id="nothing"),
        pytest.param(None, ["A", "B"], f", from nothing to release {LAST}.\n\nA;\n\nB;\n", id="all of it"),
        pytest.param("0003", ["A"], f", from release 0003 to release {LAST}.\n\nA;\n", id="a later part"),
    ],
)
def test_what_is_due_is_written_down_below_from_where_to_where(
    current: str | None, statements: list[str], told: str
) -> None:
    begins = "-- skene-dagster migrate: the skene_* tables in app"

    assert schema._as_sql("app", current, statements) == begins + told


@pytest.mark.parametrize(
    ("current", "state"),
    [
        pytest.param(None, "not in the database", id="none"),
        pytest.param("0003", f"of release 0003, and this one needs {LAST}", id="older ones"),
    ],
)
def test_tables_that_are_not_of_this_release_are_told(current: str | None, state: str) -> None:
    assert schema._outdated(current).message == f"The skene_* tables are {state}."


def test_tables_of_this_release_are_left_as_they_are(engine: Engine) -> None:
    do(engine, "CREATE TABLE users (id BIGINT PRIMARY KEY NOT NULL)")
    before = schema.is_ready(engine)
    schema.upgrade(engine, USERS)

    with transactions(engine) as done:
        schema.ready(engine, USERS)

    assert (before, schema.is_ready(engine)) == (False, True)
    assert [one.sql for part in done for one in part if one.sql.startswith("BEGIN IMMEDIATE")] == []
    assert not any(statement.writes("skene_") for part in done for statement in part)


def test_tables_of_an_earlier_release_are_not_ready(engine: Engine) -> None:
    do(engine, "CREATE TABLE users (id BIGINT PRIMARY KEY NOT NULL)")
    schema.upgrade(engine, USERS)
    do(engine, f"UPDATE skene_schema_version SET version_num = '{schema.RELEASES[0]}'")

    assert not schema.is_ready(engine)


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    migrated(engine)
    do(engine, "INSERT INTO skene_meta (name, value) VALUES ('environment', 'test')")

    schema.upgrade(engine, USERS)

    with engine.connect() as connection:
        kept = text("SELECT value FROM skene_meta WHERE name = 'environment'")
        assert connection.execute(kept).scalar_one() == "test"
        assert connection.execute(text("SELECT COUNT(*) FROM skene_schema_version")).scalar_one() == 1


def test_the_salt_of_the_hashes_is_made_once_and_stays(engine: Engine) -> None:
    migrated(engine)
    with engine.connect() as connection:
        salt = Recipients.of(connection).salt
    do(engine, "UPDATE skene_schema_version SET version_num = '0009'")

    schema.upgrade(engine, USERS)

    with engine.connect() as connection:
        assert (len(salt), Recipients.of(connection).salt) == (32, salt)


def test_a_migration_that_died_half_way_is_finished(engine: Engine) -> None:
    migrated(engine)
    do(engine, "DROP TABLE skene_batches", "DELETE FROM skene_schema_version")
    do(engine, "DROP INDEX skene_sends_batch" + ("" if engine.dialect.name == "sqlite" else " ON skene_sends"))

    schema.upgrade(engine, USERS)

    found = inspect(engine)
    assert found.has_table("skene_batches")
    assert [index["name"] for index in found.get_indexes("skene_sends")] == ["skene_sends_batch"]
    schema.ready(engine, USERS)


def test_several_that_migrate_at_once_do_no_harm(database_url: str, engine: Engine) -> None:
    do(engine, "CREATE TABLE users (id BIGINT PRIMARY KEY)")
    start = threading.Barrier(3)
    failures: list[SkeneError] = []

    def migrate() -> None:
        own = open_engine(database_url)
        start.wait()
        try:
            schema.upgrade(own, USERS)
        except SkeneError as failure:
            failures.append(failure)
        own.dispose()

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    schema.ready(engine, USERS)


@on_servers
def test_a_server_is_only_migrated_when_told(engine: Engine) -> None:
    do(engine, "CREATE TABLE users (id BIGINT PRIMARY KEY)")

    with pytest.raises(SchemaOutdated, match=r"are not in the database\. Run: skene-dagster migrate"):
        schema.ready(engine, USERS)

    assert inspect(engine).get_table_names() == ["users"]


@on_sqlite
def test_sqlite_migrates_itself(engine: Engine) -> None:
    do(engine, "CREATE TABLE users (id BIGINT PRIMARY KEY)")

    schema.ready(engine, USERS)

    assert inspect(engine).has_table("skene_sends")


@pytest.mark.parametrize("use", [schema.ready, schema.upgrade], ids=["used", "migrated"])
def test_tables_of_a_newer_release_are_left_alone(engine: Engine, use: Callable[[Engine, Users], None]) -> None:
    migrated(engine)
    do(engine, "UPDATE skene_schema_version SET version_num = '9000'")

    with pytest.raises(SchemaOutdated, match="release 9000, which is newer"):
        use(engine, USERS)


def test_a_users_key_that_changed_its_type_is_not_compared(engine: Engine) -> None:
    migrated(engine, "BIGINT")
    do(engine, "DROP TABLE users", "CREATE TABLE users (id VARCHAR(36) NOT NULL PRIMARY KEY)")

    with pytest.raises(StoreError, match=r"(?i)users\.id is varchar\(36\)(.|\n)*the skene_\* tables have bigint"):
        schema.ready(engine, USERS)


@pytest.mark.parametrize(
    ("table", "users", "words"),
    [
        pytest.param(None, USERS, r"'users' is not in the database .*Set users\.table in skene\.yaml", id="no table"),
        pytest.param(
            "CREATE TABLE users (number BIGINT PRIMARY KEY)",
            USERS,
            r"'users' has no column 'id'\. Set users\.key in skene\.yaml to its primary key: number",
            id="no such column",
        ),
        pytest.param(
            "CREATE TABLE users (tenant BIGINT NOT NULL, id BIGINT NOT NULL, PRIMARY KEY (tenant, id))",
            USERS,
            r"'id' is not the primary key of 'users', which is \(tenant, id\)",
            id="a key of two columns",
        ),
        pytest.param(
            "CREATE TABLE users (id BIGINT NOT NULL)",
            USERS,
            "'id' is not the primary key of 'users', which has none",
            id="no key",
        ),
        pytest.param(
            "CREATE TABLE users (id DOUBLE NOT NULL PRIMARY KEY)",
            USERS,
            r"The key users\.id is of type (double|DOUBLE)",
            id="a key that is not exact",
        ),
        pytest.param(
            "CREATE TABLE customers (id BIGINT PRIMARY KEY, email VARCHAR(99))",
            Users(table="customers", key="email"),
            r"'email' is not the primary key of 'customers', which is \(id\)",
            id="a column that is not the key",
        ),
    ],
)
def test_a_users_table_that_cannot_be_used_is_refused_in_words(
    engine: Engine, table: str | None, users: Users, words: str
) -> None:
    if table:
        do(engine, table)

    with pytest.raises(SettingsError, match=rf"skene\.yaml(.|\n)*{words}"):
        schema.upgrade(engine, users)

    assert [name for name in inspect(engine).get_table_names() if name.startswith("skene")] == []


def declared(engine: Engine, table: str) -> dict[str, tuple[str, str | None]]:
    """The type and collation of each column, as the server writes them."""
    query = text(
        "SELECT column_name, column_type, collation_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name = :table"
    )
    with engine.connect() as connection:
        rows = connection.execute(query, {"table": table}).all()
    return {name: (kind.lower(), collation) for name, kind, collation in rows}
