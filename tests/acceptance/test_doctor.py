"""What doctor says: of a database that is ready, of one that is not, of rights that are missing, of the sender."""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from refusing import read_only
from resend_server import ResendServer, refusal, resend_server
from small_project import RETENTION, SETTINGS, write_project
from sqlalchemy import Engine, make_url, text

from skene_dagster.cli import main
from skene_dagster.compiler import compile_folder
from skene_dagster.store import capabilities

on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
GRANTS = Path(__file__).parents[2] / "docs" / "tidb.md"
LOOP = RETENTION.replace(
    'personalization: {name: "{{user.name}}"}',
    'personalization: {name: "{{user.name}}"}\n      set: {re_engagement_sent: true}',
)


def doctor(root: Path) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), "doctor"])


def told(result: Result) -> str:
    return " ".join(result.output.split())


def make_users(engine: Engine, table: str = "users") -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                f"CREATE TABLE {table} (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
                "last_activity_at DATETIME, re_engagement_sent BOOLEAN)"
            )
        )
        connection.execute(
            text(f"INSERT INTO {table} VALUES (1, 'ada@example.com', 'Ada', '2020-01-01 00:00:00', FALSE)")
        )


@pytest.fixture
def root(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKENE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    return write_project(tmp_path / "project", {"retention.yaml": LOOP})


def test_a_database_that_is_ready_is_found_well(engine: Engine, root: Path) -> None:
    make_users(engine)
    CliRunner().invoke(main, ["--project", str(root), "migrate"])

    result = doctor(root)

    assert result.exit_code == (4 if "MariaDB" in result.output else 0), result.output
    assert "error" not in result.output
    assert "The skene_* tables are of this release, and belong to development." in told(result)
    assert "Sessions are in UTC; the clocks agree." in told(result)
    # The name of a file is not broken, however long.
    assert all(len(line) <= 80 for line in result.output.splitlines() if "skene.db" not in line)


@on_servers
def test_what_is_not_migrated_is_told_with_what_to_run(engine: Engine, root: Path) -> None:
    make_users(engine)

    result = doctor(root)

    assert result.exit_code == 3
    assert "The skene_* tables are not in the database. Run: skene-dagster migrate" in told(result)


@on_servers
@pytest.mark.parametrize(
    ("ahead", "ends_with", "said"),
    [
        pytest.param(timedelta(minutes=6), 3, "Ticks of a clock that is so far ahead are refused", id="refused ticks"),
        pytest.param(timedelta(minutes=4), 4, r"They differ by (239|240) s\. Use NTP\.", id="ahead"),
        pytest.param(timedelta(minutes=-6), 4, r"They differ by (360|361) s\. Use NTP\.", id="behind"),
    ],
)
def test_a_machine_whose_clock_is_wrong_is_told_what_both_clocks_say(
    engine: Engine, root: Path, monkeypatch: pytest.MonkeyPatch, ahead: timedelta, ends_with: int, said: str
) -> None:
    make_users(engine)
    CliRunner().invoke(main, ["--project", str(root), "migrate"])
    monkeypatch.setattr(
        "skene_dagster.store.engine._utc_now", lambda: datetime.now(timezone.utc).replace(tzinfo=None) + ahead
    )

    result = doctor(root)

    clocks = re.search(
        r"It is ([\d-]+ [\d:]+) UTC by the database's clock, and ([\d-]+ [\d:]+) by this machine's", told(result)
    )
    assert clocks is not None, result.output
    there, here = (datetime.fromisoformat(clocks[n]) for n in (1, 2))
    assert abs(here - there - ahead) <= timedelta(seconds=2)
    assert re.search(said, told(result))
    assert result.exit_code == ends_with


def test_a_table_that_is_not_there_is_told(root: Path, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (id INTEGER PRIMARY KEY)"))

    result = doctor(root)

    assert result.exit_code == 3
    assert "users.table: Table 'users' is not in the database" in told(result)


@pytest.mark.parametrize("database_url", ["tidb"], indirect=True)
def test_what_tidb_can_do_is_found_out_by_trying(engine: Engine) -> None:
    found = capabilities.capabilities(engine)

    assert found.product == "TiDB"
    assert found.has == set(capabilities.PROBES)


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_what_a_stand_in_lacks_is_found_out_by_trying(engine: Engine) -> None:
    found = capabilities.capabilities(engine)

    assert found.product == "MariaDB"
    assert found.version > (10,)
    assert found.has == set()


@pytest.mark.parametrize(
    ("said", "product", "version"),
    [
        ("8.0.11-TiDB-v8.5.3", "TiDB", (8, 5, 3)),
        ("8.0.11-TiDB-v9.0.0-beta.1.pre-640-g24903d6b24", "TiDB", (9, 0, 0)),
        ("5.7.25-TiDB-v7.1.0", "TiDB", (7, 1, 0)),
        ("10.11.6-MariaDB-0+deb12u1", "MariaDB", (10, 11, 6)),
        ("8.0.36", "MySQL", (8, 0, 36)),
    ],
)
def test_versions_are_read(said: str, product: str, version: tuple[int, ...]) -> None:
    assert capabilities._read(said) == (product, version)


class Limited:
    """A database of the product's, one of ours, and a user with the rights that docs/tidb.md grants."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.ours, self.user = engine, f"ours_{uuid.uuid4().hex[:12]}", f"skene_{uuid.uuid4().hex[:8]}"
        self.product = str(engine.url.database)
        self.do(f"CREATE DATABASE {self.ours}", f"CREATE USER '{self.user}'@'%'")
        make_users(engine)

    def do(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def grant(self, block: int) -> None:
        """Execute a block of SQL of the page."""
        found = re.findall(r"```sql\n(.*?)```", GRANTS.read_text(encoding="utf-8"), re.DOTALL)[block]
        named = found.replace("product.", f"{self.product}.").replace("skene.*", f"{self.ours}.*")
        self.do(*(line.replace("'skene'@", f"'{self.user}'@") for line in named.split(";\n") if line.strip()))

    @property
    def url(self) -> str:
        own = make_url(self.engine.url).set(username=self.user, database=self.ours)
        return own.render_as_string(hide_password=False)

    def drop(self) -> None:
        self.do(f"DROP USER '{self.user}'@'%'", f"DROP DATABASE {self.ours}")


@pytest.fixture
def limited(engine: Engine) -> Iterator[Limited]:
    found = Limited(engine)
    yield found
    found.drop()


@on_servers
def test_the_rights_that_the_page_grants_are_enough_and_none_is_too_much(
    limited: Limited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_DATABASE_URL", limited.url)
    users = f"{limited.product}.users"
    settings = SETTINGS.replace("users:\n", f"users:\n  table: {users}\n")
    root = write_project(
        tmp_path / "project", {"retention.yaml": LOOP.replace("FROM users", f"FROM {users}")}, settings
    )
    limited.grant(0)
    CliRunner().invoke(main, ["--project", str(root), "migrate"], catch_exceptions=False)

    limited.do(f"REVOKE INDEX, ALTER ON {limited.ours}.* FROM '{limited.user}'@'%'")
    before = doctor(root)
    limited.grant(1)
    after = doctor(root)
    with dg.DagsterInstance.ephemeral() as instance:
        result = compile_folder(root).resolve_job_def("retention").execute_in_process(instance=instance)

    # TiDB before 8.5.6 knows no rights on columns.
    is_tidb = capabilities.capabilities(limited.engine).product == "TiDB"
    assert ("cannot set" in before.output) == is_tidb
    assert before.exit_code == (3 if is_tidb else 4), before.output
    assert after.exit_code == (0 if is_tidb else 4), after.output
    assert result.success
    assert len(list((root / ".skene" / "outbox").glob("*.eml"))) == 1
    with limited.engine.connect() as connection:
        assert connection.execute(text("SHOW TABLES LIKE 'skene%'")).all() == []


@on_servers
def test_a_view_that_may_be_read_but_not_explained_is_named_and_stops_nothing(
    limited: Limited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_DATABASE_URL", limited.url)
    view = f"{limited.product}.dormant"
    limited.do(f"CREATE VIEW {view} AS SELECT id FROM {limited.product}.users WHERE last_activity_at < '2021-01-01'")
    limited.do(f"GRANT SELECT ON {view} TO '{limited.user}'@'%'")
    limited.grant(0)
    query = f"SELECT u.id FROM {limited.product}.users AS u JOIN {view} AS d ON d.id = u.id"
    asked = "SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'"
    loop = LOOP.replace(asked, query).replace("      set: {re_engagement_sent: true}\n", "")
    settings = SETTINGS.replace("users:\n", f"users:\n  table: {limited.product}.users\n")
    root = write_project(tmp_path / "project", {"retention.yaml": loop}, settings)
    CliRunner().invoke(main, ["--project", str(root), "migrate"], catch_exceptions=False)

    without = doctor(root)
    checked = CliRunner().invoke(main, ["--project", str(root), "validate", "--database"])
    previewed = CliRunner().invoke(main, ["--project", str(root), "preview", "retention"])
    limited.do(f"GRANT SHOW VIEW ON {view} TO '{limited.user}'@'%'", f"GRANT SELECT ON {view} TO '{limited.user}'@'%'")
    granted = doctor(root)

    assert f"may read the view {view}, but not see how it is read (1345)" in told(without)
    assert f"Grant SHOW VIEW on {view}." in told(without)
    assert without.exit_code == 4, without.output
    assert checked.exit_code == 0, checked.output
    assert "1 user: 1 enter at this tick" in previewed.output
    assert "SHOW VIEW" not in granted.output
    assert f"The database user can read {view}, {limited.product}.users." in told(granted)


@on_servers
def test_a_table_that_may_not_be_read_is_named(
    limited: Limited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_DATABASE_URL", limited.url)
    limited.do(f"CREATE TABLE {limited.product}.orders (id INTEGER, user_id INTEGER)")
    limited.grant(0)
    query = f"SELECT user_id FROM {limited.product}.orders GROUP BY user_id"
    asked = "SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'"
    settings = SETTINGS.replace("users:\n", f"users:\n  table: {limited.product}.users\n")
    root = write_project(tmp_path / "project", {"retention.yaml": LOOP.replace(asked, query)}, settings)
    CliRunner().invoke(main, ["--project", str(root), "migrate"], catch_exceptions=False)

    result = doctor(root)

    assert result.exit_code == 3
    assert (
        f"The database user cannot read {limited.product}.orders: The database user has no right to do this:"
        in told(result)
    )


@on_servers
def test_a_server_that_is_read_only_is_told_once(engine: Engine, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_users(engine)
    CliRunner().invoke(main, ["--project", str(root), "migrate"])

    with read_only(engine) as theirs:
        monkeypatch.setenv("SKENE_DATABASE_URL", theirs.url.render_as_string(hide_password=False))
        result = doctor(root)

    assert result.exit_code == 3
    assert told(result).count("The database takes no writes: it is read-only") == 1
    assert "It may be a failover or maintenance, which passes." in told(result)
    assert "cannot write" not in told(result)


@on_sqlite
def test_a_file_that_may_not_be_written_is_told(engine: Engine, root: Path) -> None:
    make_users(engine)
    with dg.DagsterInstance.ephemeral() as instance:
        compile_folder(root).resolve_job_def("retention").execute_in_process(instance=instance)
    engine.dispose()
    file = Path(str(engine.url.database))
    file.chmod(0o444)
    if os.access(file, os.W_OK):
        pytest.skip("this system user may write any file")

    result = doctor(root)

    assert result.exit_code == 3
    assert "The database file cannot be written" in told(result)


@on_sqlite
def test_a_disk_with_little_room_is_told(engine: Engine, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_users(engine)
    with dg.DagsterInstance.ephemeral() as instance:
        compile_folder(root).resolve_job_def("retention").execute_in_process(instance=instance)
    room = shutil.disk_usage("/")._replace(free=7_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: room)

    result = doctor(root)

    assert "The database's disk has only 7 MB left. Free some space." in told(result)
    assert result.exit_code == 4


@pytest.fixture
def resend(monkeypatch: pytest.MonkeyPatch) -> Iterator[ResendServer]:
    with resend_server() as server:
        monkeypatch.setenv("SKENE_ENV", "production")
        monkeypatch.setenv("RESEND_API_KEY", "re_test")
        monkeypatch.setenv("RESEND_API_URL", server.url)
        yield server


@on_sqlite
@pytest.mark.parametrize(
    ("domains", "exit_code", "says"),
    [
        ({"example.com": "verified"}, 0, "Resend has verified the sender's domain example.com."),
        ({"example.com": "pending"}, 3, "Resend has the sender's domain example.com as 'pending'."),
        ({"example.org": "verified"}, 3, "does not know the sender's domain example.com; it knows: example.org."),
    ],
)
def test_the_sender_s_domain_is_asked_for(
    engine: Engine, root: Path, resend: ResendServer, domains: dict[str, str], exit_code: int, says: str
) -> None:
    make_users(engine)
    resend.domains = domains

    result = doctor(root)

    assert says in told(result)
    assert result.exit_code == exit_code, result.output


@on_sqlite
@pytest.mark.parametrize(
    ("status", "name", "exit_code", "says"),
    [
        (401, "restricted_api_key", 0, "RESEND_API_KEY may only send, so the sender's domain cannot be asked for."),
        (403, "invalid_api_key", 3, "Check RESEND_API_KEY."),
    ],
)
def test_a_key_that_may_not_ask_and_one_that_is_wrong_are_told_apart(
    engine: Engine, root: Path, resend: ResendServer, status: int, name: str, exit_code: int, says: str
) -> None:
    make_users(engine)
    resend.reads.append(refusal(status, name))

    result = doctor(root)

    assert says in told(result)
    assert result.exit_code == exit_code, result.output
