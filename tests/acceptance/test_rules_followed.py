"""The rules that `init` writes for coding agents are enough: a script that only does what they say ends with a project
that validates. It knows nothing of the format or of the product but what the commands named there print."""

import json
import re
import shlex
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from product_schemas import for_sqlite, read

from skene_dagster.cli import main
from skene_dagster.init.writing import BEGIN, END

MOST_ROUNDS = 12


@dataclass(frozen=True)
class Follower:
    """Runs the commands that a text names, and mends what they find as their advice says; it understands no SQL."""

    root: Path

    def run(self, command: str) -> Result:
        name, *arguments = shlex.split(command)
        assert name == "skene-dagster", command
        return CliRunner().invoke(main, ["--project", str(self.root), *arguments])

    def rules(self) -> str:
        text = (self.root / "AGENTS.md").read_text(encoding="utf-8")
        return text[text.index(BEGIN) : text.index(END)]

    def command(self, of: str, *, about: str) -> str:
        """Find the command that stands in the line about something."""
        (line,) = (line for line in of.splitlines() if about in line)
        found = re.search(r"`(skene-dagster [^`]+)`", line[max(line.find(about) - 60, 0) :])
        assert found is not None, line
        return found[1]

    def mends_until_it_is_ok(self, command: str) -> list[str]:
        """Do a numbered step; return the codes of what it mended."""
        mended: list[str] = []
        for _ in range(MOST_ROUNDS):
            said = json.loads(self.run(command).stdout)
            if said["ok"]:
                return mended
            *_, last = sorted((one for one in said["findings"] if one["level"] == "error"), key=lambda one: one["line"])
            self._mend(last)
            mended.append(last["code"])
        raise AssertionError(f"It never ends: {said}")

    def _mend(self, error: dict[str, Any]) -> None:
        meant = re.search(r"Did you mean '?([A-Za-z0-9_.]+)'?\?", error["advice"])
        assert meant is not None, f"The advice is not one that can be followed without thinking: {error}"
        file = self.root / error["file"]
        lines = file.read_text(encoding="utf-8").splitlines()
        at = error["line"] - 1
        wrong = next(
            word
            for word in re.findall(r"[A-Za-z0-9_]+", error["message"])
            if word != meant[1] and re.search(rf"\b{word}\b", lines[at]) and word[:3] == meant[1][:3]
        )
        lines[at] = re.sub(rf"\b{wrong}\b", meant[1], lines[at])
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def misspelt(word: str) -> str:
    return f"{word[:-2]}{word[-1]}"


def draft(follower: Follower) -> str:
    """Write a loop from facts alone, in haste: every name that can be misspelt is."""
    rules = follower.rules()
    schema = json.loads(follower.run(follower.command(rules, about="Every field of a loop")).stdout)
    listed = follower.run(follower.command(rules, about="Tables and columns")).stdout
    users = yaml.safe_load((follower.root / "skene.yaml").read_text(encoding="utf-8"))["users"]
    table = next(part for part in listed.split("\n\n") if part.startswith(f"{users['table']}\n"))
    columns = re.findall(r"^  (\S+)  (\S+)", table, re.MULTILINE)
    moment = next(
        name for name, kind in columns if kind.startswith(("datetime", "timestamp")) or "time" in kind.lower()
    )
    (template,) = {file.stem for file in (follower.root / "templates").glob("*.mjml")}
    assert {"type", "steps", "recovery"} <= set(schema["properties"])
    return f"""\
name: hurried
type: {misspelt("activation")}
steps:
  - trigger: {{type: {misspelt("schedule")}, cron: "0 9 * * *"}}
    condition:
      type: query
      {misspelt("query")}: SELECT {users["key"]} FROM {users["table"]} WHERE {misspelt(moment)} < NOW()
    action:
      type: email
      template: {misspelt(template)}
      personalization: {{name: "{{{{user.{users["key"]}}}}}"}}
recovery: {{retries: 2, backoff: {misspelt("exponential")}}}
"""


@pytest.mark.parametrize(
    ("schema", "answers"),
    [
        pytest.param("foreign", "", id="an int key, and events that name users by a text"),
        pytest.param("ghost", "--users members", id="staff in users, people in members"),
        pytest.param("shopware", "--users customer", id="a binary key, and a table that is called user"),
    ],
)
def test_a_script_that_follows_the_rules_ends_with_a_project_that_validates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: str, answers: str
) -> None:
    root = tmp_path / "growth"
    root.mkdir()
    monkeypatch.setenv("SKENE_DATABASE_URL", f"sqlite:///{made(tmp_path / 'app.db', schema)}")
    follower = Follower(root)

    task = follower.run("skene-dagster prompt").stdout
    done = follower.run(f"{follower.command(task, about='It reads the database in')} {answers}")
    assert done.exit_code == 0, done.output
    (root / "loops" / "hurried.yaml").write_text(draft(follower), encoding="utf-8")
    rules = follower.rules()
    mended = follower.mends_until_it_is_ok(follower.command(rules, about="1. `"))
    mended += follower.mends_until_it_is_ok(follower.command(rules, about="2. `"))
    preview = follower.run(follower.command(rules, about="3. `").replace("LOOP", "hurried"))

    assert sorted(set(mended)) == ["SK103", "SK105", "SK501", "SK604"]
    assert preview.exit_code == 0, preview.output
    assert follower.run("skene-dagster validate --database").exit_code == 0


def test_the_columns_are_known_without_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "growth"
    root.mkdir()
    follower, file = Follower(root), made(tmp_path / "app.db", "foreign")
    monkeypatch.setenv("SKENE_DATABASE_URL", f"sqlite:///{file}")
    without = follower.run("skene-dagster schema --columns")
    follower.run("skene-dagster init --yes")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("ALTER TABLE accounts ADD region varchar(8)")
    kept = follower.run("skene-dagster schema --columns")
    anew = follower.run("skene-dagster schema --columns --read")
    monkeypatch.delenv("SKENE_DATABASE_URL")

    assert kept.stdout == without.stdout
    assert "\nauth_user\n  id  INT, key\n" in kept.stdout
    assert "  owner_id  INT, never NULL, refers to auth_user\n" in kept.stdout
    assert "region" not in kept.stdout
    assert "  region  varchar(8)\n" in anew.stdout
    assert follower.run("skene-dagster schema --columns").stdout == anew.stdout


def test_where_no_column_is_known_it_is_said_what_to_do(tmp_path: Path) -> None:
    result = Follower(tmp_path).run("skene-dagster schema --columns")

    assert result.exit_code == 2
    assert "There is no skene.columns.txt, and nothing to read the columns from. Set SKENE_DATABASE_URL" in " ".join(
        result.output.split()
    )


def made(file: Path, schema: str) -> Path:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(for_sqlite(read(schema)))
    return file
