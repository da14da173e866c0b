"""What doctor says: of a database that is ready, of one that is not, of rights that are missing, of the sender."""

import os
import re
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from dns_server import DnsServer
from doctored import LOOP, doctor, make_users, told
from refusing import read_only
from resend_server import ResendServer, refusal, resend_server
from small_project import write_project
from smtp_server import mail_server
from sqlalchemy import Engine, inspect, text

from skene_dagster.cli import main
from skene_dagster.cli.doctor.loop_checks import examine_loops
from skene_dagster.compiler import compile_folder
from skene_dagster.errors import StoreUnavailable
from skene_dagster.project import load_project
from skene_dagster.settings import Users, load
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import database_clock
from skene_dagster.store.server import capabilities

on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
pytestmark = pytest.mark.usefixtures("dns")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


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
    assert "The skene_* tables match this release, and belong to development." in told(result)
    assert "Sessions are in UTC; the clocks agree." in told(result)
    # The name of a file is not broken, however long.
    assert all(len(line) <= 80 for line in result.output.splitlines() if "skene.db" not in line)


@pytest.mark.parametrize("row", ["salt", "signing_key"])
def test_what_the_tables_were_made_with_and_is_lost_is_told(engine: Engine, root: Path, row: str) -> None:
    make_users(engine)
    schema.upgrade(engine, Users())
    with engine.begin() as connection:
        connection.execute(text(f"DELETE FROM skene_meta WHERE name LIKE '{row}%'"))

    result = doctor(root)

    assert result.exit_code == 3
    assert re.search("error .*Restore .*skene_meta from (a|the) backup", told(result)), told(result)


@on_servers
def test_what_is_not_migrated_is_told_with_what_to_run(engine: Engine, root: Path) -> None:
    make_users(engine)

    result = doctor(root)

    assert result.exit_code == 3
    assert "The skene_* tables are not in the database. Run: skene-dagster migrate" in told(result)


@on_sqlite
def test_before_the_first_run_what_a_loop_s_sql_lacks_is_told_and_no_table_is_made(engine: Engine, root: Path) -> None:
    make_users(engine)
    (root / "loops" / "retention.yaml").write_text(LOOP.replace("last_activity_at", "last_activ_at"), encoding="utf-8")

    result = doctor(root)

    assert "error loops/retention.yaml:7 step 1, condition.query: The database refuses this SQL:" in told(result)
    assert "Did you mean 'last_activity_at'?" in told(result)
    assert result.exit_code == 3
    assert inspect(engine).get_table_names() == ["users"]


@on_sqlite
def test_sql_that_reads_what_the_first_run_makes_is_not_refused_before_it(engine: Engine, root: Path) -> None:
    make_users(engine)
    (root / "loops" / "exported.yaml").write_text(
        """\
type: activation
steps:
  - trigger: {type: event, name: exported}
    condition:
      type: query
      query: SELECT id FROM users WHERE id IN (SELECT user_id FROM skene_events WHERE event_id = $1)
    action: {type: email, template: re_engagement, personalization: {name: "{{user.name}}"}}
""",
        encoding="utf-8",
    )

    looked = doctor(root)
    checked = CliRunner().invoke(main, ["--project", str(root), "validate", "--database"])

    assert looked.exit_code == 0, looked.output
    assert checked.exit_code == 0, checked.output


@on_servers
@pytest.mark.parametrize(
    ("ahead", "ends_with", "said"),
    [
        pytest.param(timedelta(minutes=6), 3, "Ticks from a clock that far ahead are refused", id="refused ticks"),
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


@on_servers
def test_a_server_that_is_read_only_is_told_once(engine: Engine, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_users(engine)
    CliRunner().invoke(main, ["--project", str(root), "migrate"])

    with read_only(engine) as theirs:
        monkeypatch.setenv("SKENE_DATABASE_URL", theirs.url.render_as_string(hide_password=False))
        result = doctor(root)

    assert result.exit_code == 3
    assert told(result).count("The database accepts no writes: it is read-only") == 1
    assert "It may be a failover or maintenance, which passes." in told(result)
    assert "cannot write" not in told(result)


@on_servers
def test_a_server_that_becomes_read_only_while_a_set_is_tried_is_told_as_such(engine: Engine, root: Path) -> None:
    make_users(engine)
    CliRunner().invoke(main, ["--project", str(root), "migrate"])
    settings = load(root)

    with read_only(engine) as theirs, pytest.raises(StoreUnavailable, match="accepts no writes: it is read-only"):
        list(examine_loops(theirs, settings, load_project(settings)))


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
        ({"example.com": "pending"}, 3, "Resend lists the sender's domain example.com as 'pending'."),
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
@pytest.mark.usefixtures("resend")
def test_the_domain_of_each_sender_is_looked_up_in_dns(engine: Engine, root: Path, dns: DnsServer) -> None:
    make_users(engine)
    file = root / "skene.yaml"
    others = "senders:\n  club: {from: Club <club@example.org>}\n  same: {from: Us <us@example.com>}\n"
    file.write_text(file.read_text(encoding="utf-8") + others, encoding="utf-8")

    result = doctor(root)

    assert "ok DMARC of example.com: p=none." in told(result)
    assert "notice example.org has no DMARC record." in told(result)
    assert dns.asked == ["_dmarc.example.com", "_dmarc.example.org"]
    assert result.exit_code == 4


@on_sqlite
@pytest.mark.parametrize(
    ("may_read", "says"),
    [
        (True, "The ledger is no older than the provider's records."),
        (False, "Could not check whether the ledger was restored from a backup: "),
    ],
)
def test_the_ledger_is_compared_with_the_records_where_they_may_be_read(
    engine: Engine, root: Path, resend: ResendServer, may_read: bool, says: str
) -> None:
    make_users(engine)
    CliRunner().invoke(main, ["--project", str(root), "migrate"])
    environment.belong(engine, "production")
    resend.may_read = may_read

    assert says in told(doctor(root))


@on_sqlite
def test_a_users_key_that_changed_its_type_since_is_told(engine: Engine, root: Path) -> None:
    make_users(engine)
    CliRunner().invoke(main, ["--project", str(root), "migrate"])
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE users"))
        connection.execute(text("CREATE TABLE users (id VARCHAR(36) PRIMARY KEY, email TEXT, name TEXT)"))

    result = doctor(root)

    assert "The users key users.id is VARCHAR(36), but the skene_* tables have INTEGER." in told(result)
    assert result.exit_code == 3


@on_sqlite
def test_a_mail_server_is_connected_to_and_logged_in_to_and_nothing_is_sent(
    engine: Engine, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_users(engine)
    monkeypatch.setenv("SKENE_ENV", "production")
    by_smtp(root)
    with mail_server(login=True) as server:
        monkeypatch.setenv("SKENE_SMTP_URL", f"smtp://us%40example.com:p%40ss%3Aw%2Frd%25@{server.host}:{server.port}")
        well = doctor(root)
        monkeypatch.setenv("SKENE_SMTP_URL", f"smtp://us%40example.com:secret@{server.host}:{server.port}")
        wrong = doctor(root)

    assert f"The mail server 127.0.0.1:{server.port} answers." in told(well)
    assert well.exit_code == 0, well.output
    assert "The mail server takes nothing from us: 535" in told(wrong)
    assert "secret" not in wrong.output
    assert wrong.exit_code == 3
    assert server.emails == []


@on_sqlite
@pytest.mark.usefixtures("resend")
def test_a_step_whose_provider_has_no_key_is_told(engine: Engine, root: Path) -> None:
    make_users(engine)
    by_smtp(root)

    result = doctor(root)

    assert "Emails are to be sent by smtp, but SKENE_SMTP_URL is not set." in told(result)
    assert result.exit_code == 3


def by_smtp(root: Path) -> None:
    file = root / "skene.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("sender:", "sender:\n  provider: smtp"), encoding="utf-8")


@on_sqlite
@pytest.mark.parametrize(
    ("status", "name", "exit_code", "says"),
    [
        (401, "restricted_api_key", 0, "RESEND_API_KEY may only send, so the sender's domain cannot be checked."),
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


def test_moments_in_local_time_are_told_with_their_column_and_by_how_much(engine: Engine, root: Path) -> None:
    make_users(engine)
    CliRunner().invoke(main, ["--project", str(root), "migrate"])
    ahead = database_clock(engine)() + timedelta(hours=2)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO users (id, last_activity_at) VALUES (:id, :at)"),
            [{"id": 2 + n, "at": f"{ahead - n * timedelta(minutes=1):%Y-%m-%d %H:%M:%S}"} for n in range(20)],
        )

    looked = doctor(root)
    checked = CliRunner().invoke(main, ["--project", str(root), "validate", "--database"])

    said = (
        "users.last_activity_at: 20 rows are in the future; the newest is 2 h 00 min ahead of now. "
        "It looks like local time (that of UTC+2). Moments are read as UTC: let the product store UTC."
    )
    assert f"notice loops/retention.yaml:7 step 1, condition.query: {said}" in told(looked)
    assert looked.exit_code == 4, looked.output
    assert f"notice loops/retention.yaml:7 step 1, condition.query {said}" in told(checked)
    assert checked.exit_code == 0


@on_servers
def test_the_zone_of_a_server_is_told(engine: Engine, root: Path) -> None:
    make_users(engine)
    CliRunner().invoke(main, ["--project", str(root), "migrate"])
    in_utc = doctor(root)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE users MODIFY last_activity_at DATETIME DEFAULT CURRENT_TIMESTAMP"))
        connection.execute(text("SET GLOBAL time_zone = '-05:00'"))

    try:
        result = doctor(root)
    finally:
        with engine.begin() as connection:
            connection.execute(text("SET GLOBAL time_zone = 'SYSTEM'"))

    assert "The server's zone is UTC; our sessions are in UTC." in told(in_utc)
    assert "No column that is read as UTC seems to hold local time." in told(in_utc)
    assert "The server's zone is UTC-5; our sessions are in UTC." in told(result)
    assert "users.last_activity_at: NOW() fills it, and the server's zone is UTC-5" in told(result)
    assert result.exit_code == 4


def test_the_sql_of_a_feature_is_planned_as_a_rollup_asks_it(engine: Engine, root: Path) -> None:
    make_users(engine)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE actions (id INTEGER PRIMARY KEY, user_id INTEGER, name VARCHAR(20), created_at DATETIME)"
            )
        )
    settings = (root / "skene.yaml").read_text(encoding="utf-8")
    features = "events: {table: actions}\nfeatures:\n  export:\n    title: Export\n    sql: nam = 'export'\n"
    (root / "skene.yaml").write_text(settings + features, encoding="utf-8")

    looked = doctor(root)
    checked = CliRunner().invoke(main, ["--project", str(root), "validate", "--database"])

    assert "skene.yaml:11 features.export.sql: The database refuses this SQL:" in told(looked)
    assert looked.exit_code == 3
    assert "Did you mean 'name'?" in told(checked)
    assert checked.exit_code == 1
