"""The release of a server's tables: one user writes the migration down, another makes it, and no run ever does."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from pymysql.constants.CLIENT import MULTI_STATEMENTS
from small_project import RETENTION, write_project, write_users
from sqlalchemy import Engine, create_engine, inspect, make_url, text

from skene_dagster.cli import main
from skene_dagster.compiler import compile_folder
from skene_dagster.store.schema import RELEASES

on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project", {"retention.yaml": RETENTION})


@pytest.fixture
def users(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The product's users, and the commands called as a user who may do what runs do, and no more."""
    url = make_url(engine.url)
    name = f"skene_{uuid.uuid4().hex[:8]}"
    do(
        engine,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(255), name VARCHAR(255), last_activity_at DATETIME)",
        f"CREATE USER '{name}'@'%'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON {url.database}.* TO '{name}'@'%'",
    )
    monkeypatch.setenv("SKENE_DATABASE_URL", url.set(username=name).render_as_string(hide_password=False))
    yield
    do(engine, f"DROP USER '{name}'@'%'")


def do(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def migrate(root: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), "migrate", *options])


@on_servers
@pytest.mark.usefixtures("users")
def test_who_may_not_alter_tables_prints_the_migration_for_somebody_who_may(root: Path, engine: Engine) -> None:
    printed = migrate(root, "--sql")
    untouched = inspect(engine).get_table_names()
    a_client = create_engine(engine.url, connect_args={"client_flag": MULTI_STATEMENTS})
    with a_client.begin() as connection:
        connection.connection.cursor().execute(printed.stdout)
    a_client.dispose()
    checked = migrate(root, "--check")
    again = migrate(root, "--sql")

    assert printed.exit_code == 0, printed.output
    assert untouched == ["users"]
    assert checked.exit_code == 0, checked.output
    assert again.stdout == (
        f"-- skene-dagster migrate: the skene_* tables in {engine.url.database} "
        f"are of release {RELEASES[-1]}; nothing is due.\n"
    )


def test_sqlite_is_migrated_where_a_person_wants_it(root: Path) -> None:
    write_users(root, dormant=1)

    result = migrate(root)

    assert result.exit_code == 0
    with closing(sqlite3.connect(root / ".skene" / "skene.db")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM skene_sends").fetchone() == (0,)


def test_sqlite_has_nothing_to_be_printed(root: Path) -> None:
    write_users(root, dormant=1)

    result = migrate(root, "--sql")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == "ok      .skene/skene.db is an SQLite file; it migrates itself when a loop runs.\n"


@on_servers
@pytest.mark.usefixtures("users")
@pytest.mark.parametrize(
    ("release", "says"),
    [
        pytest.param(
            RELEASES[0],
            f"The skene_* tables are of release {RELEASES[0]}, and this one needs {RELEASES[-1]}. "
            "Run: skene-dagster migrate",
            id="older",
        ),
        pytest.param(
            "9000",
            "The skene_* tables are of release 9000, which is newer than this installation. "
            "Upgrade it: pip install --upgrade skene-dagster",
            id="newer",
        ),
    ],
)
def test_a_run_on_tables_of_another_release_stops_with_one_sentence(
    root: Path, engine: Engine, release: str, says: str
) -> None:
    do(
        engine,
        "CREATE TABLE skene_schema_version (version_num VARCHAR(32) PRIMARY KEY)",
        f"INSERT INTO skene_schema_version VALUES ('{release}')",
    )

    with dg.DagsterInstance.ephemeral() as instance:
        job = compile_folder(root).resolve_job_def("retention")
        result = job.execute_in_process(instance=instance, raise_on_error=False)

    (failed,) = [event.step_failure_data for event in result.get_step_failure_events()]
    assert failed.user_failure_data is not None
    assert failed.user_failure_data.description == says
    assert sorted(inspect(engine).get_table_names()) == ["skene_schema_version", "users"]
