"""A product whose tables were made for something else: none is altered, and nothing is written by hand."""

from pathlib import Path

import dagster as dg
import pytest
from commands import skene
from product_schemas import read
from sqlalchemy import Engine, text

from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.window import AS_OF
from skene_dagster.product.shapes import columns_of
from skene_dagster.store.engine import is_sqlite

USERS = ["ada", "ben", "cleo"]
# Ada was here long ago; Ben lately; what might be taken for Cleo's is nobody's.
EVENTS = [("1", "2020-02-01"), ("2", "2026-11-29"), ("03", "2026-11-29"), ("3x", "2026-11-29"), (" 3", "2026-11-29")]
DORMANT = """\
name: dormant
type: retention
steps:
  - trigger: {type: schedule, cron: 0 9 * * *}
    condition: {type: level, is: dormant}
    action:
      type: email
      template: re_engagement
      personalization: {name: "{{user.first_name}}"}
      repeat: 30d
"""


@pytest.fixture
def root(tmp_path: Path, engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKENE_DATABASE_URL", database_url)
    ddl = read("foreign")
    if is_sqlite(engine):
        ddl = ddl.replace("AUTO_INCREMENT", "")
    with engine.begin() as connection:
        for statement in ddl.partition("\n")[2].split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        for number, name in enumerate(USERS, 1):
            connection.execute(
                text("INSERT INTO auth_user VALUES (:id, 'x', NULL, :name, :email, 1, '2020-01-01 00:00:00')"),
                {"id": number, "name": name, "email": f"{name}@example.com"},
            )
        for number, (who, day) in enumerate(EVENTS, 1):
            connection.execute(
                text("INSERT INTO analytics_event VALUES (:id, :at, :who, 'opened', NULL)"),
                {"id": number, "at": f"{day} 00:00:00", "who": who},
            )
    folder = tmp_path / "orbit"
    folder.mkdir()
    return folder


def test_their_tables_as_they_are_lead_from_init_to_emails(root: Path, engine: Engine) -> None:
    before = columns(engine)

    outputs = [skene(root, *words) for words in (("init", "--yes"), ("validate", "--database"), ("migrate",))]
    previewed = skene(root, "preview", "retention", "--as-of", "2026-11-30T09:00")
    emails = mailed(root, "retention")

    assert [one.exit_code for one in (*outputs, previewed)] == [0] * 4, [one.output for one in (*outputs, previewed)]
    assert "user: distinct_id" in (root / "skene.yaml").read_text(encoding="utf-8")
    assert "2  would be mailed" in previewed.output
    assert emails == ["ada@example.com", "cleo@example.com"]
    assert columns(engine) == before


def test_levels_are_of_those_whom_the_texts_name(root: Path) -> None:
    skene(root, "init", "--yes")
    (root / "loops" / "dormant.yaml").write_text(DORMANT, encoding="utf-8")
    assert skene(root, "migrate").exit_code == 0

    run(root, "skene__usage")
    emails = mailed(root, "dormant")

    assert emails == ["ada@example.com"]


def mailed(root: Path, loop: str) -> list[str]:
    """Run a loop; return whom the outbox has emails to."""
    run(root, loop)
    outbox = root / ".skene" / "outbox"
    lines = [line for file in outbox.glob("*.eml") for line in file.read_text(encoding="utf-8").splitlines()]
    return sorted(line.removeprefix("To: ") for line in lines if line.startswith("To: "))


def run(root: Path, name: str) -> None:
    job = compile_folder(root).resolve_job_def(name)
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance, tags={AS_OF: "2026-11-30T09:00:00+00:00"}).success


def columns(engine: Engine) -> list[tuple[str, str, str]]:
    """List the columns of their tables, with their types."""
    tables = ("auth_user", "accounts", "analytics_event")
    with engine.connect() as connection:
        return [(table, one["name"], str(one["type"])) for table in tables for one in columns_of(connection, table)]
