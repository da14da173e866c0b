"""From an email in the outbox to a "no" that holds: the whole way, by a run, a page and another run."""

import re
import sqlite3
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from listed_people import write_listed_project
from page_world import FORM, ONE_CLICK, Browser
from small_project import RETENTION
from web_world import serving

from skene_dagster.compiler import compile_folder

pytestmark = pytest.mark.long

OWN = "unsubscribe_url: https://example.com/unsubscribe/{{user.id}}"


def write_a_project(folder: Path) -> Path:
    """Two loops about two topics of one sender."""
    root = write_listed_project(folder)
    settings = (root / "skene.yaml").read_text(encoding="utf-8").replace(OWN, "public_url: https://mail.example.com")
    topics = "topics:\n  product: {title: Product news}\n  tips: {title: Tips}\n"
    (root / "skene.yaml").write_text(settings + topics, encoding="utf-8")
    loop = RETENTION.replace("type: retention", "name: tips\ntopic: tips\ntype: retention")
    (root / "loops" / "tips.yaml").write_text(loop, encoding="utf-8")
    return root


def run(root: Path, loop: str) -> list[tuple[int, str, str | None]]:
    """Run a loop once; return what was decided about each user."""
    assert compile_folder(root).resolve_job_def(loop).execute_in_process().success
    with sqlite3.connect(root / ".skene" / "skene.db") as database:
        asked = "SELECT user_id, state, reason FROM skene_sends WHERE loop = ? ORDER BY user_id"
        return database.execute(asked, (loop,)).fetchall()


def path_of_the_link(root: Path, to: str) -> str:
    """Where on this machine the email to an address says that one unsubscribes."""
    for file in (root / ".skene" / "outbox").glob("*.eml"):
        email = message_from_bytes(file.read_bytes(), policy=policy.default)
        if email["To"] == to:
            found = re.fullmatch(r"<http://localhost:8765(/u/\S+)>", str(email["List-Unsubscribe"]))
            assert found is not None
            return found[1]
    raise AssertionError(f"there is no email to {to}")


def test_one_click_on_a_link_of_the_outbox_stops_the_next_email_of_that_sender(tmp_path: Path) -> None:
    root = write_a_project(tmp_path / "project")
    assert {state for _, state, _ in run(root, "retention")} == {"accepted"}
    link = path_of_the_link(root, "user-2@example.com")

    with serving(f"sqlite:///{root / '.skene' / 'skene.db'}", root) as served:
        browser = Browser(served.port)
        assert browser.ask("GET", link).status == 200
        assert browser.ask("POST", link, ONE_CLICK, {"Content-Type": FORM}).status == 200

    assert run(root, "tips") == [(1, "accepted", None), (2, "skipped", "said_no"), (3, "accepted", None)]
