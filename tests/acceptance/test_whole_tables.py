"""A condition that reads all of a big table: validate --database says so, until the index that it names is there."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from small_project import RETENTION, write_project
from sqlalchemy import Engine, text

from skene_dagster.cli import main

LOOP = RETENTION.replace("INTERVAL '7 days'", "INTERVAL '7 days' AND re_engagement_sent = false")


def do(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for sql in statements:
            connection.execute(text(sql))


def validated(root: Path) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), "validate", "--database"])


@pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
def test_a_big_table_that_is_read_whole_is_noticed_until_it_has_its_index(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    root = write_project(tmp_path / "project", {"retention.yaml": LOOP})
    do(
        engine,
        "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
        "last_activity_at DATETIME NOT NULL, re_engagement_sent BOOLEAN NOT NULL)",
        "INSERT INTO users VALUES (0, 'ada@example.com', 'Ada', '2020-01-01', TRUE)",
    )
    small = validated(root)
    # 2 to the power of 17: 131,072 rows.
    columns = "email, name, last_activity_at, re_engagement_sent"
    for power in range(17):
        do(engine, f"INSERT INTO users SELECT id + {2**power}, {columns} FROM users")

    big = validated(root)
    do(engine, "ANALYZE TABLE users")
    known = validated(root)
    create = re.sub(r".*?(CREATE INDEX [^;]*;).*", r"\1", known.output, flags=re.DOTALL)
    do(engine, create)
    indexed = validated(root)

    assert "notice" not in small.output
    for told in (big, known):
        assert "notice  loops/retention.yaml:7  step 1, condition.query\n" in told.output
        assert re.search(
            r"Every run reads all of users \((about 130,000|more than 100,000) rows\)\. An index may avoid this: "
            r"CREATE INDEX users_re_engagement_sent_last_activity_at ON users "
            r"\(re_engagement_sent, last_activity_at\);",
            " ".join(told.output.split()),
        )
        assert max(map(len, told.output.splitlines())) <= 80
    assert "notice" not in indexed.output
    assert [result.exit_code for result in (small, big, known, indexed)] == [0, 0, 0, 0]
