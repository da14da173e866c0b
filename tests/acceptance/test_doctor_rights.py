"""Rights that are missing: doctor finds them before a run does, each where it is needed, and none hides another."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from doctored import LOOP, Limited, doctor, told
from resend_server import resend_server
from small_project import RETENTION, SETTINGS, write_project
from sqlalchemy import Engine, text

from skene_dagster.cli import main
from skene_dagster.compiler import compile_folder
from skene_dagster.store.server import capabilities

pytestmark = [
    pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True),
    pytest.mark.usefixtures("dns"),
]


ASKED = "SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'"
USAGE = "tidb_usage: {db_users: {analyst: ada@example.com}}\n"


class Product:
    """The product's database, our own beside it, and a project that is run by a user who may do little."""

    def __init__(self, limited: Limited, root: Path) -> None:
        self.limited, self.root = limited, root
        self.users = f"{limited.product}.users"
        self.is_tidb = capabilities.capabilities(limited.engine).product == "TiDB"
        self.write()

    def write(self, more_settings: str = "", **loops: str) -> None:
        """Write the project anew; `FROM users` in a loop means the product's table."""
        settings = SETTINGS.replace("users:\n", f"users:\n  table: {self.users}\n") + more_settings
        texts = {f"{name}.yaml": loop.replace("FROM users", f"FROM {self.users}") for name, loop in loops.items()}
        write_project(self.root, texts, settings)

    def allow(self, *rights: str) -> None:
        user = f"'{self.limited.user}'@'%'"
        self.limited.do(*(f"GRANT {right} TO {user}" for right in rights))

    def forbid(self, *rights: str) -> None:
        user = f"'{self.limited.user}'@'%'"
        self.limited.do(*(f"REVOKE {right} FROM {user}" for right in rights))

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--project", str(self.root), *arguments], catch_exceptions=False)

    @property
    def well(self) -> int:
        """How doctor ends where nothing is wrong: MariaDB is a stand-in, and a notice."""
        return 0 if self.is_tidb else 4


@pytest.fixture
def product(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    limited = Limited(engine)
    monkeypatch.setenv("SKENE_DATABASE_URL", limited.url)
    yield Product(limited, tmp_path / "project")
    limited.drop()


def test_the_rights_that_the_page_grants_are_enough_and_none_is_too_much(product: Product) -> None:
    product.write(retention=LOOP)
    product.limited.grant(0)
    product.call("migrate")
    product.forbid(f"INDEX, ALTER ON {product.limited.ours}.*")

    before = doctor(product.root)
    product.limited.grant(1)
    after = doctor(product.root)
    with dg.DagsterInstance.ephemeral() as instance:
        result = compile_folder(product.root).resolve_job_def("retention").execute_in_process(instance=instance)

    # TiDB before 8.5.6 knows no rights on columns.
    assert ("`set` cannot be written" in told(before)) == product.is_tidb
    assert before.exit_code == 4, before.output
    assert after.exit_code == product.well, after.output
    assert result.success
    assert len(list((product.root / ".skene" / "outbox").glob("*.eml"))) == 1
    with product.limited.engine.connect() as connection:
        assert connection.execute(text("SHOW TABLES LIKE 'skene%'")).all() == []


def test_a_view_that_may_be_read_but_not_explained_is_named_and_stops_nothing(product: Product) -> None:
    view = f"{product.limited.product}.dormant"
    product.limited.do(f"CREATE VIEW {view} AS SELECT id FROM {product.users} WHERE last_activity_at < '2021-01-01'")
    product.allow(f"SELECT ON {view}")
    product.limited.grant(0)
    query = f"SELECT u.id FROM users AS u JOIN {view} AS d ON d.id = u.id"
    product.write(retention=RETENTION.replace(ASKED, query))
    product.call("migrate")

    without = doctor(product.root)
    checked = product.call("validate", "--database")
    previewed = product.call("preview", "retention")
    product.allow(f"SHOW VIEW ON {view}", f"SELECT ON {view}")
    granted = doctor(product.root)

    assert f"may read the view {view}, but not see how it is read (1345)" in told(without)
    assert f"Grant SHOW VIEW on {view}." in told(without)
    assert without.exit_code == 4, without.output
    assert checked.exit_code == 0, checked.output
    assert "1 user: 1 enter at this tick" in previewed.output
    assert "SHOW VIEW" not in granted.output
    assert f"The database user can read {view}, {product.users}." in told(granted)


def test_the_tables_that_must_be_fresh_have_to_be_readable(product: Product) -> None:
    loads = f"{product.limited.product}.loads"
    product.limited.do(f"CREATE TABLE {loads} (loaded_at DATETIME)")
    product.limited.grant(0)
    product.write(retention=f"{RETENTION}fresh: [{{table: {loads}, column: loaded_at, within: 1h}}]\n")
    product.call("migrate")

    without = product.call("validate", "--database")
    product.allow(f"SELECT ON {loads}")
    granted = doctor(product.root)

    assert "loops/retention.yaml:13 fresh.0.table" in told(without)
    assert "The database user has no right to do this" in told(without)
    assert f"The database user can read {loads}, {product.users}." in told(granted)


def test_a_right_that_one_loop_lacks_is_told_at_its_line_and_hides_no_other(product: Product) -> None:
    product.limited.do(f"CREATE TABLE {product.limited.product}.orders (id INTEGER, user_id INTEGER)")
    product.limited.grant(0)
    orders = RETENTION.replace(ASKED, f"SELECT user_id FROM {product.limited.product}.orders GROUP BY user_id")
    wrong = RETENTION.replace(ASKED, "SELECT id FROM users WHERE seen < NOW()")
    product.write(buyers=f"name: buyers\n{orders}", typo=f"name: typo\n{wrong}", retention=RETENTION)
    product.call("migrate")

    looked = doctor(product.root)
    checked = product.call("validate", "--database")
    previewed = product.call("preview", "buyers")
    other = product.call("preview", "retention")

    denied = "loops/buyers.yaml:8 step 1, condition.query"
    lacks = "The database user has no right to do this: SELECT command denied"
    assert f"error {denied}: {lacks}" in told(looked)
    assert "error loops/typo.yaml:8 step 1, condition.query: The database refuses this SQL" in told(looked)
    assert "The database accepts the SQL of 1 loop." in told(looked)
    assert looked.exit_code == 3
    assert f"error {denied} {lacks}" in told(checked)
    assert "1 loop ok, 2 errors. Checked against" in told(checked)
    assert checked.exit_code == 1
    assert f"error {denied} {lacks}" in told(previewed)
    assert previewed.exit_code == 3
    assert other.exit_code == 0


def test_where_nothing_but_rights_are_missing_no_file_is_wrong(product: Product) -> None:
    orders, actions = (f"{product.limited.product}.{name}" for name in ("orders", "actions"))
    product.limited.do(
        *(f"CREATE TABLE {name} (id INTEGER, user_id INTEGER, at DATETIME)" for name in (orders, actions))
    )
    product.limited.grant(0)
    on_orders = f"{{type: database, table: {orders}, event: insert, at: at}}"
    buyers = RETENTION.replace('{type: schedule, cron: "0 9 * * *", timezone: Europe/Berlin}', on_orders)
    product.write(f"events: {{table: {actions}}}\n", buyers=f"name: buyers\n{buyers}", retention=RETENTION)

    checked = product.call("validate", "--database")

    assert "error loops/buyers.yaml:5 step 1, trigger.table The database user has no right to do this" in told(checked)
    assert "error skene.yaml:8 events.table The database user has no right to do this" in told(checked)
    assert "ok retention loops/retention.yaml" in told(checked)
    assert checked.exit_code == 3


def test_a_missing_update_is_an_error_only_where_set_runs_live(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.limited.grant(0)
    product.write(retention=LOOP)
    product.call("migrate")
    product.forbid(f"UPDATE (re_engagement_sent) ON {product.users}")

    rehearsal = doctor(product.root)
    with resend_server() as server:
        server.domains = {"example.com": "verified"}
        monkeypatch.setenv("SKENE_ENV", "production")
        monkeypatch.setenv("RESEND_API_KEY", "re_test")
        monkeypatch.setenv("RESEND_API_URL", server.url)
        live = doctor(product.root)
        product.write(retention=RETENTION)
        without = doctor(product.root)

    said = "loops/retention.yaml:12 step 1, action.set: `set` cannot be written: The database user has no right"
    assert f"notice {said}" in told(rehearsal)
    assert rehearsal.exit_code == 4
    assert f"error {said}" in told(live)
    assert live.exit_code == 3
    assert "action.set" not in told(without)
    assert without.exit_code == product.well, without.output


def test_who_may_not_migrate_is_told_what_is_missing_when_a_migration_is_due(product: Product) -> None:
    product.limited.grant(0)
    product.write(retention=RETENTION)
    product.forbid(f"ALTER, INDEX ON {product.limited.ours}.*")

    due = doctor(product.root)
    product.allow(f"ALTER, INDEX ON {product.limited.ours}.*")
    allowed = doctor(product.root)
    product.call("migrate")
    product.forbid(f"INDEX ON {product.limited.ours}.*")
    done = doctor(product.root)

    assert "error The database user cannot migrate: it lacks ALTER, INDEX." in told(due)
    assert "The skene_* tables are not in the database. Run: skene-dagster migrate" in told(due)
    assert due.exit_code == 3
    assert "The database user can migrate (CREATE, ALTER, INDEX)." in told(allowed)
    assert "ok The database user lacks INDEX: runs do without" in told(done)
    assert done.exit_code == product.well


def test_tidb_usage_needs_process(product: Product) -> None:
    product.limited.grant(0)
    product.write(USAGE, retention=RETENTION)
    product.call("migrate")

    without = doctor(product.root)
    product.allow("PROCESS ON *.*")
    granted = doctor(product.root)

    assert without.exit_code == 4
    if product.is_tidb:
        assert f"GRANT PROCESS ON *.* TO '{product.limited.user}'@'%';" in told(without)
        assert "ok tidb_usage: the database user can see what others run (PROCESS)." in told(granted)
        assert granted.exit_code == 0
    else:
        assert "notice tidb_usage collects nothing: the server has no statement summary" in told(granted)
