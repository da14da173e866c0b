"""What changed in the files, and when: written down by the run that has it first, and told on the report."""

import json
import sqlite3
from pathlib import Path

import pytest
from commands import run, skene
from small_project import RETENTION, SETTINGS, write_project, write_users

LEVEL = RETENTION.replace(
    "      type: query\n      query: SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'\n",
    "      type: level\n      is: dormant\n      for: 30d\n",
)
GROWING = SETTINGS + "limits: {caps: [{count: 2, within: 7d}], first_wave: 1000}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path, {"retention.yaml": RETENTION}, GROWING)
    write_users(root, 3)
    assert run(root)
    return root


def versions(root: Path) -> list[tuple[str, int, list[list[str]]]]:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        rows = connection.execute("SELECT loop, number, said FROM skene_versions ORDER BY loop, number").fetchall()
    return [(loop, number, json.loads(said)) for loop, number, said in rows]


def change(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text("utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new), encoding="utf-8")


def page(root: Path) -> str:
    assert skene(root, "report").exit_code == 0
    html = (root / ".skene" / "report.html").read_text("utf-8")
    return " ".join(html[html.index('id="changed"') : html.index('id="counted"')].split())


def test_the_first_run_is_the_first_version_and_the_next_one_is_none(root: Path) -> None:
    assert run(root)

    assert versions(root) == [("*", 1, []), ("retention", 1, [])]
    assert "<b>skene.yaml, retention</b>: first seen here" in page(root)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("loops/retention.yaml", "'7 days'", "'9 days'", ["main", "who: the query"]),
        (
            "loops/retention.yaml",
            "0 9 * * *",
            "30 8 * * *",
            ["main", "when: 0 9 * * * Europe/Berlin → 30 8 * * * Europe/Berlin"],
        ),
        ("loops/retention.yaml", 'name}}"}', 'name}}"}\n      repeat: 14d', ["main", "how often: repeat 30d → 14d"]),
        ("templates/re_engagement.mjml", "We miss you", "Come back", ["main", "the mail: subject"]),
        ("templates/re_engagement.txt", "Hello", "Hi", ["main", "the mail: text"]),
        (
            "loops/retention.yaml",
            "recovery:",
            "goal: {returns_within: 7d}\nholdout: 10%\nrecovery:",
            ["", "holdout 0% → 10%"],
        ),
    ],
)
def test_another_version_says_what_it_changed(root: Path, file: str, old: str, new: str, said: list[str]) -> None:
    change(root, file, old, new)
    assert run(root)

    (loop, number, found) = versions(root)[-1]

    assert (loop, number) == ("retention", 2)
    assert said in found


def test_a_language_that_is_new_or_changed_is_told_by_its_tag(tmp_path: Path) -> None:
    settings = SETTINGS.replace("users:\n", "users:\n  locale: email\n")
    root = write_project(tmp_path, {"retention.yaml": RETENTION}, settings)
    write_users(root, 3)
    assert run(root)
    for ending in ("mjml", "txt"):
        text = (root / "templates" / f"re_engagement.{ending}").read_text("utf-8")
        (root / "templates" / f"re_engagement.pt-BR.{ending}").write_text(text, encoding="utf-8")
    assert run(root)
    change(root, "templates/re_engagement.pt-BR.txt", "Hello", "Oi")
    assert run(root)

    assert versions(root)[-2:] == [
        ("retention", 2, [["main", "the mail: template re_engagement → re_engagement in pt-BR"]]),
        ("retention", 3, [["main", "the mail: text in pt-BR"]]),
    ]


def test_settings_are_told_by_name_and_only_numbers_by_what_they_are(root: Path) -> None:
    change(root, "skene.yaml", "first_wave: 1000", "first_wave: 5000")
    change(root, "skene.yaml", "Little Product <hello@example.com>", "Erika <erika@example.com>")
    assert run(root)

    assert versions(root)[1] == ("*", 2, [["", "sender.from"], ["", "limits.first_wave 1000 → 5000"]])
    assert "<b>skene.yaml</b>: limits.first_wave 1000 → 5000" in page(root)


def test_nobody_who_is_named_in_the_files_is_in_it(root: Path) -> None:
    change(root, "loops/retention.yaml", "WHERE", "WHERE email <> 'erika@example.com' AND")
    change(root, "skene.yaml", "Little Product", "Erika")
    assert run(root)

    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        kept = str(connection.execute("SELECT * FROM skene_versions").fetchall())
    assert "erika" not in kept.lower()
    assert "example.com" not in kept


def test_a_condition_of_words_says_what_it_was(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"retention.yaml": LEVEL})
    write_users(root, 3)
    assert run(root)
    change(root, "loops/retention.yaml", "for: 30d", "for: 21d")
    assert run(root)

    assert versions(root)[-1] == ("retention", 2, [["main", "who: level dormant for 30d → 21d"]])
    assert "<b>retention · main</b>: who: level dormant for 30d → 21d" in page(root)


def test_the_days_of_changes_are_marked_on_the_chart_over_time(root: Path) -> None:
    change(root, "loops/retention.yaml", "'7 days'", "'9 days'")
    assert run(root)

    assert "<dt>1 · " in page(root)
    html = (root / ".skene" / "report.html").read_text("utf-8")
    chart = html[html.index("<title>Emails a week by loop") :]
    assert ">1</text>" in chart[: chart.index("</svg>")]
