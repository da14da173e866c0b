"""A product that writes its moments otherwise: `validate`, `preview` and the run say and do the same about it."""

from pathlib import Path

import pytest
from commands import skene
from small_project import RETENTION, SETTINGS, write_project
from sqlalchemy import text
from test_preview_and_run import execute

from skene_dagster.compiler import compile_folder
from skene_dagster.store.engine import is_sqlite, open_engine

BAD = "users.last_activity_at: 2 values are not dates or times, and count as NULL."


@pytest.fixture
def root(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKENE_DATABASE_URL", database_url)
    return write_project(tmp_path / "project", {"retention.yaml": RETENTION}, SETTINGS)


def make_users(url: str, declared: str, *seen: object) -> None:
    engine = open_engine(url)
    kind = "" if is_sqlite(engine) else declared
    engine.dispose()
    execute(
        url,
        "CREATE TABLE users (id BIGINT PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
        f"last_activity_at {kind} NULL)",
    )
    people = [{"id": n, "email": f"u{n}@example.com", "name": f"User {n}", "at": at} for n, at in enumerate(seen, 1)]
    execute(url, "INSERT INTO users VALUES (:id, :email, :name, :at)", *people)


def in_a_line(output: str) -> str:
    return " ".join(output.split())


def test_numbers_are_refused_by_each_in_the_same_words(root: Path, database_url: str) -> None:
    make_users(database_url, "BIGINT", 1_577_836_800, 1_577_836_900)

    validated = skene(root, "validate", "--database")
    previewed = skene(root, "preview", "retention")
    skene(root, "migrate")
    job = compile_folder(root).resolve_job_def("retention")
    ran = job.execute_in_process(raise_on_error=False)

    written = "Write: last_activity_at < UNIX_TIMESTAMP(NOW() - INTERVAL 7 DAY)"
    failed = [event.step_failure_data.error_display_string for event in ran.all_events if event.is_step_failure]
    for said in (validated.output, previewed.output, *failed):
        assert "loops/retention.yaml:7" in said
        assert written in in_a_line(said)
    assert (validated.exit_code, previewed.exit_code, ran.success, len(failed)) == (1, 1, False, 1)


def test_values_that_are_no_moments_stop_nobody_and_are_told_by_each(root: Path, database_url: str) -> None:
    make_users(database_url, "VARCHAR(40)", "2020-01-01 00:00:00", "never", "2020-01-01T00:00:00+02:00", "0000-00-00")

    validated = skene(root, "validate", "--database")
    previewed = skene(root, "preview", "retention")
    skene(root, "migrate")
    job = compile_folder(root).resolve_job_def("retention")
    ran = job.execute_in_process(raise_on_error=False)

    metadata = ran.asset_materializations_for_node("skene__retention__main__segment")[0].metadata
    assert (validated.exit_code, previewed.exit_code, ran.success) == (0, 0, True)
    assert BAD in in_a_line(validated.output)
    assert BAD in in_a_line(previewed.output)
    assert "2 would be mailed" in in_a_line(previewed.output)
    assert metadata["unreadable"].value == f"- {BAD}"
    assert len(list((root / ".skene" / "outbox").glob("*.eml"))) == 2


def test_a_zero_date_stops_no_milestone(root: Path, database_url: str) -> None:
    (root / "skene.yaml").write_text(
        SETTINGS.replace("users:\n", "users:\n  created_at: last_activity_at\n")
        + "milestones: {year: {title: A year, anniversary: 365d, since: 2020-01-01}}\n",
        encoding="utf-8",
    )
    condition = "type: query\n      query: SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'"
    (root / "loops" / "retention.yaml").write_text(
        RETENTION.replace(condition, "type: milestone\n      name: year"), encoding="utf-8"
    )
    make_users(database_url, "DATETIME", "2020-01-01 00:00:00")
    engine = open_engine(database_url)
    with engine.connect() as connection:
        if not is_sqlite(engine):
            connection.execute(text("SET SESSION sql_mode = ''"))
        connection.execute(text("INSERT INTO users VALUES (2, 'u2@example.com', 'Two', '0000-00-00 00:00:00')"))
        connection.commit()
        connection.invalidate()
    engine.dispose()
    skene(root, "migrate")

    ran = compile_folder(root).resolve_job_def("retention").execute_in_process(raise_on_error=False)

    assert ran.success
    assert len(list((root / ".skene" / "outbox").glob("*.eml"))) == 1
