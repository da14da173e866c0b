"""The report: one page, readable without scripts, whose numbers are those of the ledger."""

import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import pytest
from commands import run, skene
from small_project import RETENTION, SETTINGS, write_project, write_users

USERS = 60
MEASURED = f"{RETENTION}holdout: 50%\ngoal: {{returns_within: 7d}}\n"


class Page(HTMLParser):
    """Which elements it has, what they load, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: set[str] = set()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self._text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"src", "data", "srcset", "action"} or name.startswith("on"):
                self.loads.add(f"{tag} {name}={value}")
            elif name == "id":
                self.ids.add(value or "")
            elif name == "href":
                self.links.add(value or "")

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._text).split())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    settings = SETTINGS.replace("name: name", "name: name\n  mailable: id <> 7")
    root = write_project(tmp_path, {"retention.yaml": MEASURED}, settings)
    write_users(root, USERS)
    assert run(root)
    return root


def report(root: Path, *arguments: str) -> tuple[Page, str]:
    result = skene(root, "report", *arguments)
    assert result.exit_code == 0, result.output
    html = (root / ".skene" / "report.html").read_text("utf-8")
    return Page(html), html


def row(page: Page, loop: str) -> list[str]:
    found = re.search(rf"verdict {loop} ((?:\S+ ){{9}})", page.text)
    assert found is not None, page.text
    return found[1].split()


def counted(root: Path, state: str) -> int:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        return int(connection.execute("SELECT COUNT(*) FROM skene_sends WHERE state = ?", [state]).fetchone()[0])


def test_its_numbers_are_those_of_the_ledger(root: Path) -> None:
    page, _ = report(root)

    mailed, held_out = counted(root, "accepted"), counted(root, "held_out")
    # inside, came, left, mailed, held out, waiting, no mail, delivered, said no
    assert row(page, "retention") == ["60", "60", "0", str(mailed), str(held_out), "1", "0", "-", "0"]
    assert "Nothing needs you." in page.text
    assert "Bring people back before they forget why they came." in page.text
    assert "Who came back within 7d: cannot tell yet" in page.text


def test_it_is_one_file_that_loads_nothing_and_runs_nothing(root: Path) -> None:
    page, html = report(root)

    assert not page.tags & {"script", "link", "img", "object", "form"}
    assert page.loads == set()
    assert all(link.startswith("#") for link in page.links)
    assert {link.removeprefix("#") for link in page.links} <= page.ids
    assert "default-src 'none'" in html
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", html)


def test_its_sections_are_in_the_order_of_its_contents(root: Path) -> None:
    page, html = report(root)

    links = re.findall(r'<a href="#([a-z]+)">', html.partition("</nav>")[0])
    assert links == re.findall(r'<section id="([a-z]+)">', html)
    assert links[4:6] == ["pressure", "coming"]
    assert links[-3:] == ["people", "changed", "counted"]
    # A section with nothing to tell says so.
    assert "No cap limits how many emails a person gets" in page.text
    assert "No loop keeps another from mailing" in page.text
    assert "1 person: not mailable (users.mailable in skene.yaml)." in page.text
    assert "Nothing is known of what people do" in page.text


def test_emails_a_person_are_those_of_the_ledger(root: Path) -> None:
    page, _ = report(root)

    mailed = counted(root, "accepted")
    # 62 users, one of whom is not mailable.
    assert f"of {USERS + 1} who may be mailed" in page.text
    assert f"1 {mailed} ({mailed / (USERS + 1):.0%}".replace("%", " %)") in page.text


def test_nobody_is_named_on_it(root: Path) -> None:
    _, html = report(root)

    assert "@example.com" not in html
    assert "Marker" not in html


def test_who_got_nothing_is_counted_by_reason_with_some_of_them(root: Path) -> None:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE skene_sends SET state = 'skipped', reason = 'said_no' WHERE user_id IN (1, 2, 3)")

    page, _ = report(root)

    assert "said no to marketing, or to this topic 3 skene-dagster why 1 · skene-dagster why 2" in page.text
    assert row(page, "retention")[6] == "3"


def test_of_one_loop_it_shows_that_loop(tmp_path: Path) -> None:
    other = RETENTION.replace("type: retention", "name: other\ntype: retention")
    root = write_project(tmp_path, {"retention.yaml": RETENTION, "other.yaml": other})
    write_users(root, 3)
    assert run(root)

    page, _ = report(root, "--loop", "retention")

    assert "drawn-retention" in page.ids
    assert "drawn-other" not in page.ids
    assert "people" not in page.ids
    assert skene(root, "report", "--loop", "retentoin").exit_code == 2


def test_what_an_author_wrote_is_text_on_it(tmp_path: Path) -> None:
    hostile = RETENTION.replace("Bring people back", "<script>alert(1)</script><b>Bring")
    root = write_project(tmp_path, {"retention.yaml": hostile})
    write_users(root, 3)
    assert run(root)

    page, html = report(root)

    assert "script" not in page.tags
    assert "&lt;script&gt;" in html


def test_before_the_first_run_it_says_what_is_missing(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"retention.yaml": RETENTION})
    write_users(root, 3)

    result = skene(root, "report")

    assert result.exit_code == 3
    assert "The skene_* tables are not in the database" in " ".join(result.output.split())
