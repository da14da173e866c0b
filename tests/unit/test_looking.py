"""What `preview`, `send-test` and `doubts` show of an email, and of whom they speak."""

import webbrowser
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from rich.console import Console
from sqlalchemy import create_engine, inspect, select
from template_world import FOOTER, TemplateWorld, email, mjml, plan_of

from skene_dagster.cli import database
from skene_dagster.cli.control import doubts
from skene_dagster.cli.doctor import rights
from skene_dagster.cli.inspect import email as of_email
from skene_dagster.cli.inspect import preview, send_test
from skene_dagster.cli.screen import Screen
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.rehearsal import Stage
from skene_dagster.loops.plan import Query
from skene_dagster.loops.triggers import Rows
from skene_dagster.project import Project
from skene_dagster.settings import MomentColumn, load
from skene_dagster.store.engine import open_engine
from skene_dagster.store.tables import meta

NOON = datetime(2026, 3, 2, 12)
SETTINGS = """\
sender:
  from: Orbit <hello@example.com>
  postal_address: 12 Harbour Street
  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}
"""


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        pytest.param("2026-03-02T12:00", NOON, id="UTC"),
        pytest.param("2026-03-02T12:00Z", NOON, id="UTC by its letter"),
        pytest.param("2026-03-02T12:00+02:00", NOON.replace(hour=10), id="at an offset"),
        pytest.param("2026-03-02", NOON.replace(hour=0), id="a day"),
        pytest.param("1971-01-01", datetime(1971, 1, 1), id="the first year"),
        pytest.param("2199-12-31", datetime(2199, 12, 31), id="the last one"),
    ],
)
def test_the_moment_of_a_preview_is_read(written: str, moment: datetime) -> None:
    assert preview._moment(click.Context(preview.preview), click.Option(["--as-of"]), written) == moment


@pytest.mark.parametrize("written", ["1970-12-31", "2200-01-01", "soon", "Z", ""])
def test_a_moment_of_another_time_is_refused(written: str) -> None:
    with pytest.raises(click.BadParameter):
        preview._moment(click.Context(preview.preview), click.Option(["--as-of"]), written)


def test_no_moment_is_now() -> None:
    assert preview._moment(click.Context(preview.preview), click.Option(["--as-of"]), None) is None


@pytest.mark.parametrize(("size", "fits"), [(0, False), (1, True), (100, True), (101, False)])
def test_a_sample_has_1_to_100_users(size: int, fits: bool) -> None:
    (option,) = (one for one in preview.preview.params if one.name == "sample")
    assert isinstance(option.type, click.IntRange)

    with nullcontext() if fits else pytest.raises(click.BadParameter):
        assert option.type.convert(size, option, None) == size


def shown(
    tmp_path: Path, text: str = FOOTER, *, masked: bool = True, browser: bool = False, mode: str = "outbox"
) -> list[str]:
    """What is printed of an email."""
    world = TemplateWorld(tmp_path)
    world.write(mjml(), text)
    (tmp_path / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    settings = load(tmp_path, {"SKENE_REDIRECT_TO": "me@example.com"})
    plan, step = plan_of(email())
    stage = Stage(create_engine("sqlite://"), plan, step, settings, Mode(mode, "a test"), NOON)  # type: ignore[arg-type]
    person = Person("ada@example.com", mailable=True, columns={"id": 7, "name": "Ada", "last_activity_at": None})
    console = Console(width=100, highlight=False, markup=False, emoji=False, color_system=None)
    with console.capture() as captured:
        templates = Templates(tmp_path, tmp_path)
        of_email.tell(Screen(console), stage, templates, 7, person, {}, masked=masked, browser=browser)
    stage.engine.dispose()
    return captured.get().splitlines()


@pytest.mark.parametrize(
    ("masked", "mode", "to"),
    [
        pytest.param(True, "outbox", "a…@example.com", id="masked"),
        pytest.param(False, "outbox", "ada@example.com", id="whole"),
        pytest.param(False, "redirect", "ada@example.com, redirected to me@example.com", id="redirected"),
    ],
)
def test_an_email_is_shown_with_whom_it_goes_to(tmp_path: Path, masked: bool, mode: str, to: str) -> None:
    lines = shown(tmp_path, masked=masked, mode=mode)

    assert [line.split() for line in lines[:2]] == [["From", "Orbit", "<hello@example.com>"], ["To", *to.split()]]
    assert lines[-1].startswith("This is the plain text; the HTML has ")


@pytest.mark.parametrize(("count", "last"), [(40, "  the end"), (41, "  … 1 more lines"), (42, "  … 2 more lines")])
def test_an_email_is_shown_up_to_forty_lines(tmp_path: Path, count: int, last: str) -> None:
    text = f"{FOOTER}\n\n" + "line\n" * (count - 3) + "the end\n"

    lines = shown(tmp_path, text)
    begin = lines.index("") + 1

    assert lines[begin + 1] == ""
    assert lines[-3] == last
    assert lines[-2] == ""


@pytest.mark.parametrize(("opens", "said"), [(True, "Opened in the browser: "), (False, "There is no browser here. ")])
def test_an_email_is_opened_in_the_browser_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: bool, said: str
) -> None:
    opened = []

    def open_in_browser(url: str) -> bool:
        opened.append(url)
        return opens

    monkeypatch.setattr(webbrowser, "open", open_in_browser)
    monkeypatch.setattr("tempfile.tempdir", f"{tmp_path}")

    assert shown(tmp_path, browser=True)[-1].startswith(said)
    (file,) = opened
    assert "<html" in Path(file.removeprefix("file://")).read_text(encoding="utf-8")


def test_a_test_email_is_marked_and_unsubscribes_nobody() -> None:
    headers = (("List-Unsubscribe", "<x>"), ("List-Unsubscribe-Post", "y"), ("X-Kept", "z"))
    real = Message("ab" * 16, "a", "ada@example.com", "Hello", "h", "t", None, headers, (("send", "1"), ("loop", "l")))

    marked = send_test._marked(real, "me@example.com")

    assert marked.send_id != real.send_id
    assert marked == replace(
        real,
        send_id=marked.send_id,
        to="me@example.com",
        subject="[Test] Hello",
        headers=(("X-Kept", "z"),),
        tags=(("test", "true"), ("loop", "l")),
    )


@pytest.mark.parametrize(
    ("loop", "step", "sets"),
    [
        pytest.param("retention", "main", True, id="it sets columns"),
        pytest.param("retention", "second", False, id="it sets none"),
        pytest.param("retention", "gone", False, id="it is gone"),
        pytest.param("other", "main", True, id="nobody knows, for its file is gone or broken"),
    ],
)
def test_settling_a_doubt_as_sent_writes_back_what_the_step_sets(loop: str, step: str, sets: bool) -> None:
    plan, main = plan_of(email(set=(("reminded", True),)))
    second = replace(main, name="second", action=email())
    project = Project((replace(plan, steps=(main, second)),), ())

    assert doubts._sets(project, loop, step) == sets


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("sqlite:///{root}/.skene/skene.db", ".skene/skene.db", id="a file of the project"),
        pytest.param("sqlite:////elsewhere/skene.db", "/elsewhere/skene.db", id="another file"),
        pytest.param("mysql://me:secret@db.example.com:3306/app", "app on db.example.com:3306", id="a server"),
        pytest.param("mysql://me@db.example.com/app", "app on db.example.com:4000", id="a server by its usual port"),
    ],
)
def test_a_database_is_named_without_its_password(tmp_path: Path, url: str, said: str) -> None:
    (tmp_path / "skene.yaml").write_text("", encoding="utf-8")

    settings = load(tmp_path, {"SKENE_DATABASE_URL": url.format(root=tmp_path)})

    assert database.shown_database(settings) == said


def test_the_products_tables_that_are_read_are_those_of_settings_and_loops(tmp_path: Path) -> None:
    (tmp_path / "skene.yaml").write_text("users: {table: app.people}\n", encoding="utf-8")
    plan, step = plan_of(email())
    tables = ("app.people", "orders", "skene_rollup", "app.skene_segments")
    asked = replace(step, condition=a_query(tables))
    moments = MomentColumn(column="at", unit=None)
    woken = replace(step, name="woken", trigger=Rows("invoices", "id", "user_id", moments, changes=False, name=None))
    project = Project((replace(plan, steps=(asked, woken)),), ())

    assert rights._tables_read(load(tmp_path, {}), project) == {"app.people", "orders", "invoices"}


def a_query(tables: tuple[str, ...]) -> Query:
    return Query(
        author="SELECT 1",
        mysql="SELECT 1",
        sqlite="SELECT 1",
        needs_tidb="",
        tables=tables,
        reads=(),
        columns=("id",),
        key="id",
        own_key=True,
        by_row=False,
        by_key=True,
        plain=False,
        binds=(),
    )


@pytest.mark.parametrize(
    ("free", "says"),
    [
        pytest.param(100_000_000, [], id="enough"),
        pytest.param(99_999_999, ["The database's disk has only 99 MB left."], id="less"),
    ],
)
def test_a_file_that_can_be_written_is_told_and_little_room_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, says: list[str]
) -> None:
    (tmp_path / "skene.yaml").write_text("", encoding="utf-8")
    settings = load(tmp_path, {"SKENE_DATABASE_URL": f"sqlite:///{tmp_path / 'skene.db'}"})
    engine = open_engine(settings.database_url)
    with engine.begin() as connection:
        meta.create(connection)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))

    found = [(one.label, one.said) for one in rights.examine_file(settings)]

    assert found == [("ok", "The database user can write the skene_* tables."), *(("notice", one) for one in says)]
    with engine.connect() as connection:
        assert connection.execute(select(meta)).all() == []
    engine.dispose()


def test_what_is_lacking_for_writing_is_told_work_by_work(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")

    found = [(one.label, one.said.partition(": ")[0]) for one in rights.examine_writing(engine)]

    assert found == [
        ("error", "The database user cannot write the skene_* tables (SELECT, INSERT, UPDATE, DELETE)"),
        ("ok", "The database user can create and drop the staging tables skene_staging_… (CREATE, DROP)."),
    ]
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    engine.dispose()


def test_who_may_migrate_is_told_and_nothing_is_left_of_the_attempt(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")

    found = [(one.label, one.said) for one in rights.examine_migrating(engine, is_due=True)]

    assert found == [("ok", "The database user can migrate (CREATE, ALTER, INDEX).")]
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    engine.dispose()
