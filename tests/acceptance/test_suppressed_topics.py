"""A "no" to a topic on the command line: added, listed, lifted, exported and imported, also after the topic is gone."""

import json
import sqlite3
from pathlib import Path

import pytest
from commands import run, skene
from listed_people import execute, rows, said, write_listed_project

ADA = "user-1@example.com"
LONG = "a_topic_with_a_name_that_is_as_long_as_names_ar"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_listed_project(tmp_path / "project")
    with (root / "skene.yaml").open("a", encoding="utf-8") as file:
        file.write(f"topics:\n  product: {{title: Product news}}\n  tips: {{title: Tips}}\n  {LONG}: {{title: Long}}\n")
    return root


def forget_topics(root: Path) -> None:
    settings = (root / "skene.yaml").read_text(encoding="utf-8")
    (root / "skene.yaml").write_text(settings.partition("topics:")[0], encoding="utf-8")


def test_a_no_to_a_topic_is_for_the_address_and_the_user(root: Path) -> None:
    told = said(root, "add", ADA, "--scope", "topic:tips")

    assert f"added {ADA}: no email about tips" in told
    assert f"added user 1 ({ADA}): no email about tips" in told
    assert rows(root) == [(None, "topic:tips", "manual"), (ADA, "topic:tips", "manual")]


def test_it_stops_the_emails_about_that_topic_alone(root: Path) -> None:
    said(root, "add", "user-1@example.com", "--scope", "topic:tips")
    said(root, "add", "user-2@example.com", "--scope", "topic:product")

    assert run(root)

    with sqlite3.connect(root / ".skene" / "skene.db") as database:
        found = database.execute("SELECT user_id, state, reason FROM skene_sends ORDER BY user_id").fetchall()
    assert found == [(1, "accepted", None), (2, "skipped", "said_no"), (3, "accepted", None)]


@pytest.mark.parametrize("command", ["add ADA", "lift ADA --reason x", "list", "export list.csv", "import people.csv"])
@pytest.mark.parametrize(
    ("scope", "why"),
    [
        pytest.param("topic:tip", "There is no such topic. Use one of: topic:product, topic:tips", id="unknown"),
        pytest.param("tips", "'tips' is not a scope. Write all, marketing, or topic:NAME.", id="without its prefix"),
        pytest.param("topic:", "'topic:' is not a scope.", id="no name"),
        pytest.param("topic:%", "'topic:%' is not a scope.", id="no name that can be"),
    ],
)
def test_a_topic_that_is_not_known_is_told_with_those_that_are(
    root: Path, monkeypatch: pytest.MonkeyPatch, command: str, scope: str, why: str
) -> None:
    monkeypatch.chdir(root)
    (root / "people.csv").write_text("eve@example.com\n", encoding="utf-8")

    told = said(root, *command.replace("ADA", ADA).split(), "--scope", scope, exit_code=2)

    assert why in told
    assert rows(root) == []
    assert not (root / "list.csv").exists()


def test_what_is_on_record_about_a_topic_that_is_gone_is_listed_exported_and_lifted(root: Path) -> None:
    said(root, "add", ADA, "--scope", "topic:tips")
    forget_topics(root)

    assert "There is no such topic." in said(root, "add", ADA, "--scope", "topic:tips", exit_code=2)
    assert "2 suppressions" in said(root, "list", "--scope", "topic:tips")
    assert f"{ADA}: no email about tips" in said(root, "list", ADA)
    assert skene(root, "suppressions", "export", str(root / "list.csv"), "--scope", "topic:tips").exit_code == 0
    assert "topic:tips" in (root / "list.csv").read_text(encoding="utf-8")
    assert f"lifted {ADA}: topic:tips" in said(root, "lift", ADA, "--scope", "topic:tips", "--reason", "x")
    assert rows(root) == []


def test_a_lift_without_a_scope_is_of_every_one(root: Path) -> None:
    for scope in ("marketing", "topic:tips", "topic:product"):
        said(root, "add", ADA, "--scope", scope)
    forget_topics(root)

    said(root, "lift", ADA, "--reason", "x")

    assert rows(root) == []


def test_an_export_comes_back_as_it_was(root: Path) -> None:
    for scope in ("topic:tips", "topic:product", "all"):
        said(root, "add", ADA, "--scope", scope)
    before = rows(root, "recipient, scope")
    assert skene(root, "suppressions", "export", str(root / "list.csv")).exit_code == 0
    execute(root, "DELETE FROM skene_suppressions")
    forget_topics(root)

    said(root, "import", str(root / "list.csv"))

    assert rows(root, "recipient, scope") == before


def test_rows_that_do_not_say_why_are_for_the_topic_that_a_person_names(root: Path) -> None:
    (root / "people.csv").write_text(f"email\n{ADA}\neve@example.com\n", encoding="utf-8")

    told = said(root, "import", str(root / "people.csv"), "--scope", "topic:tips")

    assert "2 addresses added, and 1 user who has one of them." in told
    assert rows(root) == [
        (None, "topic:tips", "said_no"),
        ("eve@example.com", "topic:tips", "said_no"),
        (ADA, "topic:tips", "said_no"),
    ]


@pytest.mark.parametrize("scope", ["topic:tip$", "topic:", "everything"])
def test_a_scope_in_a_file_that_cannot_be_one_is_told_with_its_line(root: Path, scope: str) -> None:
    file = root / "list.csv"
    file.write_text(f"address,scope,reason,since,source\n{ADA},{scope},manual,,x\n", encoding="utf-8")

    assert "list.csv:2 Unknown scope or reason" in said(root, "import", str(file), exit_code=4)
    assert rows(root) == []


def test_a_list_with_a_long_topic_fits_the_screen(root: Path) -> None:
    said(root, "add", ADA, "--scope", f"topic:{LONG}", "--reason", "a reason that is rather long, and is cut")
    said(root, "add", ADA, "--scope", "all")

    assert f"topic:{LONG} manual" in said(root, "list")
    assert "no email at all" in said(root, "list", ADA)


def test_programs_are_told_the_scope(root: Path) -> None:
    said(root, "add", ADA, "--scope", "topic:tips")

    (count,) = json.loads(skene(root, "suppressions", "list", "--json").stdout)["counts"]

    assert count == {"scope": "topic:tips", "reason": "manual", "number": 2}
