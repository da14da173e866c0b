"""`serve --public`: what everybody may reach, with the rights that docs/deploy.md grants, and no others."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from event_rows import make_users
from page_world import SETTINGS, Browser, links, said, stopped
from resend_events import SECRET, event, posted
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError
from web_world import serving_everybody

from skene_dagster.consent.spool.spool import Spool
from skene_dagster.store.engine import database_clock, open_engine

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy.md"


class Public:
    """The database user of the public process."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.name = engine, f"public_{uuid.uuid4().hex[:8]}"
        (grants,) = re.findall(r"```sql\n(.*?)```", DEPLOY.read_text(encoding="utf-8"), re.DOTALL)
        own = grants.replace("skene.skene_", f"{engine.url.database}.skene_").replace(
            "'skene_public'", f"'{self.name}'"
        )
        self.do(f"CREATE USER '{self.name}'@'%'", *(line for line in own.split(";\n") if line.strip()))

    def do(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    @property
    def url(self) -> str:
        return make_url(self.engine.url).set(username=self.name).render_as_string(hide_password=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def public(engine: Engine) -> Iterator[Public]:
    make_users(engine)
    public = Public(engine)
    yield public
    public.do(f"DROP USER '{public.name}'@'%'")


@pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
def test_the_rights_that_the_page_grants_are_enough(engine: Engine, public: Public, root: Path) -> None:
    (link,) = links(engine, 1)
    with serving_everybody(public.url, root, RESEND_WEBHOOK_SECRET=SECRET) as served:
        browser = Browser(served.port)
        ready = browser.ask("GET", "/readyz").status
        pages = [
            browser.get(link),
            browser.post(link),
            browser.press(link, "no_topic"),
            browser.press(link, "save", on=("beta",)),
            browser.press(link, "yes_topic"),
        ]
        at = database_clock(engine)()
        body, headers = posted(event("email.delivered", at), "msg_1")
        hooks = [browser.ask("POST", "/webhooks/resend", body, headers).status for _ in range(2)]
        ended, logged = served.stop()

    assert (ready, [page.status for page in pages], ended) == (200, [200] * 5, 0)
    assert hooks == [200, 200]
    assert stopped(engine, 1) == {"topic:news"}
    assert len(said(engine)) == 2 * (1 + 1 + 4 + 1)
    assert pages[-1].state == "Now you get: Beta programme, Tips."
    assert logged == ""
    # Nothing took the way over the disk.
    assert Spool(root / ".skene" / "spool").is_empty()


@pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM users",
        "SELECT * FROM skene_sends",
        "UPDATE skene_meta SET value = 'x'",
        "DELETE FROM skene_suppressions",
        "UPDATE skene_preferences SET answer = 'yes'",
        "DELETE FROM skene_preferences",
        "DELETE FROM skene_webhooks",
        "CREATE TABLE x (id INTEGER)",
    ],
)
def test_whoever_takes_the_process_over_can_read_no_user_and_undo_no_word(public: Public, statement: str) -> None:
    taken = open_engine(public.url)

    with pytest.raises(DBAPIError, match=r"\((1142|1044|8121)"), taken.begin() as connection:
        connection.execute(text(statement))

    taken.dispose()


@pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
@pytest.mark.parametrize("table", ["skene_meta", "skene_suppressions", "skene_preferences"])
def test_a_right_that_is_missing_is_told_before_anything_is_served(public: Public, root: Path, table: str) -> None:
    public.do(f"REVOKE SELECT ON {public.engine.url.database}.{table} FROM '{public.name}'@'%'")

    with pytest.raises(RuntimeError, match=r"docs/deploy\.md"), serving_everybody(public.url, root):
        pass


@pytest.fixture
def embedded(root: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{root / 'skene.db'}")
    make_users(engine)
    yield engine
    engine.dispose()


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def test_nothing_else_is_served_to_everybody(embedded: Engine, root: Path) -> None:
    (link,) = links(embedded, 1)
    with serving_everybody(url_of(embedded), root, "--host", "0.0.0.0", SKENE_ENV="production") as served:
        browser = Browser(served.port)
        asked = {
            path: browser.ask("POST" if path.startswith("/v1") else "GET", path).status
            for path in ("/v1/track", "/v1/batch", "/", "/u", "/static/x", "/healthz", "/readyz", f"/u/{link}")
        }

    assert asked == {
        "/v1/track": 404,
        "/v1/batch": 404,
        "/": 404,
        "/u": 404,
        "/static/x": 404,
        "/healthz": 200,
        "/readyz": 200,
        f"/u/{link}": 200,
    }


def test_another_environments_database_is_refused(embedded: Engine, root: Path) -> None:
    with embedded.begin() as connection:
        connection.execute(text("INSERT INTO skene_meta (name, value) VALUES ('environment', 'production')"))

    with (
        pytest.raises(RuntimeError, match="The database belongs to production"),
        serving_everybody(url_of(embedded), root),
    ):
        pass


def test_tables_that_are_not_there_are_told_with_what_makes_them(root: Path) -> None:
    (root / "skene.db").touch()

    with (
        pytest.raises(RuntimeError, match="skene-dagster migrate"),
        serving_everybody(f"sqlite:///{root / 'skene.db'}", root),
    ):
        pass


def test_a_page_that_is_wrong_is_told_before_anything_is_served(embedded: Engine, root: Path) -> None:
    folder = root / "templates" / "pages"
    folder.mkdir(parents=True)
    (folder / "unknown.html").write_text("\n{{ nobody }}", encoding="utf-8")

    with (
        pytest.raises(RuntimeError, match=r"templates/pages/unknown\.html\s+It uses nobody, which is not there"),
        serving_everybody(url_of(embedded), root),
    ):
        pass
