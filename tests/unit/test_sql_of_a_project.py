"""Every SQL text of a project is judged alike: conditions, goals, `users.mailable`, features; and every table."""

from pathlib import Path

import pytest

from skene_dagster.errors import DocumentError
from skene_dagster.project import load_project
from skene_dagster.settings import load

LOOP = """\
type: retention
steps:
  - trigger: {type: schedule, cron: 0 9 * * *}
    condition:
      type: query
      query: |
        SELECT id FROM users
        WHERE
        [condition]
    action: {type: email, template: hello}
goal:
  within: 7d
  query: |
    SELECT id, at FROM users
    WHERE
    [goal]
"""
SETTINGS = """\
sender: {from: a@example.com, postal_address: 1 Example Street, unsubscribe_url: "https://example.com/{{user.id}}"}
users:
  mailable: |
    [mailable]
features:
  export:
    title: Export
    sql: |
      [feature]
"""
PLACES = {
    "condition": ("loops/loop.yaml", 9),
    "goal": ("loops/loop.yaml", 16),
    "mailable": ("skene.yaml", 4),
    "feature": ("skene.yaml", 9),
}


def errors(folder: Path, *, settings: str = SETTINGS, loop: str = LOOP, **sql: str) -> list[DocumentError]:
    """Load a project; each of its SQL texts is `a = 1` unless something else is given."""
    for name in PLACES:
        settings, loop = (text.replace(f"[{name}]", sql.get(name, "a = 1")) for text in (settings, loop))
    files = {"skene.yaml": settings, "loops/loop.yaml": loop, "templates/hello.txt": "{{ unsubscribe_url }}"}
    mjml = "<mjml><mj-head><mj-title>Hi</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>"
    mjml += (
        "<a href='{{ unsubscribe_url }}'>{{ postal_address }}</a></mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    files |= {"templates/hello.mjml": mjml, "templates/hello.txt": "{{ unsubscribe_url }} {{ postal_address }}"}
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    try:
        project = load_project(load(folder, {}))
    except DocumentError as error:
        return [*error.errors]
    return [error for broken in project.broken for error in broken.error.errors]


REFUSED = {
    "SLEEP(1) = 0": "SLEEP() cannot be used.",
    "id IN (SELECT id FROM users INTO OUTFILE '/tmp/x')": "INTO cannot be used.",
    "a = 1; DELETE FROM users": "semicolon",
    "a = 1 /* open": "A comment begins with /* and does not end.",
    "a = 1 /*! OR SLEEP(1) */": "/*! … */ looks like a comment, but a server runs it.",
    "a = 1) OR (b = 2": "A parenthesis is closed that was never opened.",
    "id IN (SELECT 1)) OR EXISTS (SELECT 1": "A parenthesis is closed that was never opened.",
    "a = @@version": "@@version cannot be used.",
    "email = USER()": "USER() cannot be used.",
    "RAND() < 0.5": "RAND() cannot be used.",
    "EXISTS (SELECT 1 FROM mysql.user)": "mysql.user is the database server's own table.",
    "EXISTS (SELECT 1 FROM MySQL.user)": "MySQL.user is the database server's own table.",
    "EXISTS (SELECT 1 FROM `mysql` . `user`)": "mysql.user is the database server's own table.",
    "EXISTS (SELECT 1 FROM information_schema.tables)": "information_schema.tables is the database server's own table.",
    "EXISTS (SELECT 1 FROM \u0130nformation_schema.tables)": "is the database server's own table.",
    "EXISTS (SELECT 1 FROM performance_schema.threads)": "is the database server's own table.",
    "EXISTS (SELECT 1 FROM sys.version v, users)": "sys.version is the database server's own table.",
    "EXISTS (SELECT 1 FROM METRICS_SCHEMA.uptime)": "METRICS_SCHEMA.uptime is the database server's own table.",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("sql", "said"), list(REFUSED.items()), ids=[*REFUSED])
def test_what_a_condition_may_not_say_no_sql_of_a_project_may_say(
    place: str, sql: str, said: str, tmp_path: Path
) -> None:
    found = errors(tmp_path, **{place: sql})

    assert len(found) == 1
    # A feature's SQL is about one row, and can ask for no table at all.
    assert said in found[0].message or (place == "feature" and found[0].message == "A subquery cannot be used.")
    assert found[0].place is not None
    assert (found[0].place.file, found[0].place.line) == PLACES[place]


def test_good_sql_is_accepted_everywhere(tmp_path: Path) -> None:
    assert errors(tmp_path) == []


def test_mailable_may_ask_for_the_time_and_for_other_tables(tmp_path: Path) -> None:
    sql = "snoozed_until < NOW() AND id NOT IN (SELECT user_id FROM staff)"

    assert errors(tmp_path, mailable=sql) == []


@pytest.mark.parametrize("sql", ["COUNT(*) > 1", "ROW_NUMBER() OVER (ORDER BY id) = 1", "*", "a AS b"])
def test_mailable_is_about_one_user_whoever_else_is_asked_about(sql: str, tmp_path: Path) -> None:
    (error,) = errors(tmp_path, mailable=sql)

    assert error.place is not None
    assert (error.place.file, error.place.line) == PLACES["mailable"]


def test_mailable_may_count_in_a_subquery(tmp_path: Path) -> None:
    assert errors(tmp_path, mailable="(SELECT COUNT(*) FROM bounces b WHERE b.user_id = id) < 3") == []


@pytest.mark.parametrize("place", ["condition", "goal", "mailable", "feature"])
def test_a_comment_that_swallows_a_line_is_refused_in_all_of_them(place: str, tmp_path: Path) -> None:
    folded = {"settings": SETTINGS.replace(": |", ": >"), "loop": LOOP.replace(": |", ": >")}
    indent = {"condition": 8, "goal": 4, "mailable": 4, "feature": 6}[place]

    found = errors(tmp_path, **folded, **{place: f"a = 1 -- x\n{' ' * indent}AND b = 2"})

    assert [error.message for error in found] == ["The lines are joined, so the comment `-- x` swallows `AND b = 2`."]
    assert found[0].place is not None
    assert (found[0].place.file, found[0].place.line) == PLACES[place]


@pytest.mark.parametrize(
    "schema", ["mysql", "MYSQL", "information_schema", "performance_schema", "sys", "metrics_schema"]
)
@pytest.mark.parametrize(
    ("settings", "loop"),
    [
        pytest.param(SETTINGS.replace("users:\n", "users:\n  table: [table]\n"), LOOP, id="users.table"),
        pytest.param(SETTINGS + "events: {table: [table]}\n", LOOP, id="events.table"),
        pytest.param(
            SETTINGS,
            LOOP.replace("{type: schedule, cron: 0 9 * * *}", "{type: database, event: insert, table: [table]}"),
            id="trigger.table",
        ),
    ],
)
def test_a_table_of_the_server_is_no_table_of_the_product(
    settings: str, loop: str, schema: str, tmp_path: Path
) -> None:
    name = f"{schema}.user"

    found = errors(tmp_path, settings=settings.replace("[table]", name), loop=loop.replace("[table]", name))

    assert [error.message for error in found] == [
        f"{name!r} is the database server's own table, not the product's. Name a table of the product."
    ]
    assert found[0].place is not None
    assert found[0].place.line is not None


def test_an_email_cannot_show_a_column_without_a_name(tmp_path: Path) -> None:
    unnamed = LOOP.replace("SELECT id FROM users", "SELECT id, 1 + 1 FROM users", 1)
    shows = "template: hello, personalization: {n: '{{row.orders}}'}}"

    found = errors(tmp_path, loop=unnamed.replace("template: hello}", shows))

    assert [(error.message, error.advice) for error in found] == [
        ("The condition has no column 'orders'.", "Use one of: id.")
    ]
    assert errors(tmp_path, loop=unnamed) == []
