"""The emails on the report, as they look: made as those that are sent, for somebody invented."""

import re
import sqlite3
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from commands import run, skene
from small_project import MJML, RETENTION, write_project, write_users

from skene_dagster.report.mails import looks
from skene_dagster.report.mails.harmless import POLICY

LOADING = MJML.replace(
    "<mj-text>Hello",
    """<mj-image src="https://pictures.example.com/logo.png" alt="Our logo" width="90px" />
      <mj-button href="https://example.com/back">Come back</mj-button><mj-text>Hello""",
).replace("<mj-preview>", '<mj-font name="Lato" href="https://fonts.example.com/lato.css" /><mj-preview>')


class Frames(HTMLParser):
    """The frames of a page: their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.frames: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "iframe":
            self.frames.append(dict(attrs))


def mails(root: Path, *arguments: str) -> tuple[list[str], str]:
    """Write the report; return the documents in its frames, and the page."""
    result = skene(root, "report", *arguments)
    assert result.exit_code == 0, result.output
    html = (root / ".skene" / "report.html").read_text("utf-8")
    frames = Frames(html).frames
    assert all(frame["sandbox"] is None for frame in frames), "nothing is allowed in them"
    return [frame["srcdoc"] or "" for frame in frames], html


def with_template(root: Path, mjml: str, name: str = "re_engagement") -> None:
    (root / "templates" / f"{name}.mjml").write_text(mjml, encoding="utf-8")
    text = (root / "templates" / "re_engagement.txt").read_text("utf-8")
    (root / "templates" / f"{name}.txt").write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path, {"retention.yaml": RETENTION})
    write_users(root, 3)
    assert run(root)
    return root


def test_a_mail_looks_as_it_is_sent_to_somebody_who_is_invented(root: Path) -> None:
    (mail,), page = mails(root)

    assert "Hello Ada" in mail
    assert "1 Example Street, Example Town" in mail
    assert "<b>We miss you, Ada</b> from Little Product</summary>" in page
    assert not re.search(r"Marker|user-\d", page)


def test_one_document_serves_both_widths(root: Path) -> None:
    (_,), page = mails(root)

    assert re.findall(r'<input type="radio"[^>]*class="(\w+)"( checked)?>', page) == [
        ("desktop", " checked"),
        ("phone", ""),
    ]
    assert "--desktop: 640px" in page
    assert "--phone: 375px" in page


def test_it_loads_nothing_and_leads_nowhere(root: Path) -> None:
    with_template(root, LOADING)

    (mail,), page = mails(root)

    assert f'<head><meta http-equiv="Content-Security-Policy" content="{POLICY}">' in mail
    assert not re.search(r" (href|src|srcset|background)=|url\(|@import|<link", mail)
    assert 'alt="Our logo"' in mail
    assert "Come back" in mail
    assert not re.search(r"https?://(?!www\.w3\.org)", page)


def test_each_variant_is_shown(tmp_path: Path) -> None:
    loop = RETENTION.replace("      personalization", "      variants: {short: 1, long: 1}\n      personalization")
    root = write_project(tmp_path, {"retention.yaml": loop + "holdout: 10%\ngoal: {returns_within: 7d}\n"})
    for name in ("short", "long"):
        with_template(root, MJML.replace("Hello", f"The {name} one for"), f"re_engagement.{name}")
    write_users(root, 3)
    assert run(root)

    found, page = mails(root)

    assert [re.findall(r"The \w+ one for Ada", mail) for mail in found] == [
        ["The short one for Ada"],
        ["The long one for Ada"],
    ]
    assert re.findall(r"looks, variant (\w+)", page) == ["short", "long"]


def test_columns_of_the_condition_have_the_types_that_they_have(tmp_path: Path) -> None:
    loop = RETENTION.replace(
        "SELECT id FROM", "SELECT id, 40 + id AS charts, name AS nick, last_activity_at FROM"
    ).replace('name: "{{user.name}}"', 'name: "{{row.nick}} {{row.charts * 2}} {{row.last_activity_at}}"')
    root = write_project(tmp_path, {"retention.yaml": loop})
    write_users(root, 3)
    assert run(root)

    (mail,), page = mails(root)

    assert re.search(r"Hello Ada 24 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", mail)
    assert "Marker" not in page
    assert "2020-01-01" not in page


def test_before_anybody_is_there_it_is_shown_all_the_same(root: Path) -> None:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("DELETE FROM users")

    (mail,), _ = mails(root)

    assert "Hello Ada" in mail


def test_a_mail_that_cannot_be_made_says_why(root: Path) -> None:
    with_template(root, MJML.replace("Hello {{ name }}", "Hello {{ name|center(9000) }}"))

    found, page = mails(root)

    assert found == []
    assert "It cannot be made with invented values: a string is padded" in unescape(page)


def test_the_page_stays_small_and_says_how_to_see_the_others(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "MOST_BYTES", 1_000)

    found, page = mails(root)

    assert found == []
    assert "There is no room for it on this page: skene-dagster report --loop retention shows it." in page
