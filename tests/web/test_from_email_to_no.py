"""The whole way: an email that a run has rendered, the link in it, one click, and the next run that mails no more."""

import email
import email.policy
import sqlite3
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from commands import skene
from page_world import Browser
from small_project import RETENTION, SETTINGS, write_project, write_users
from web_world import serving, serving_everybody

from skene_dagster.compiler import compile_folder

OWN_LINK = "unsubscribe_url: https://example.com/unsubscribe/{{user.id}}"
TOPICS = "topics:\n  product: {title: Product news}\n  tips: {title: Tips}\n"


def run(root: Path, loop: str) -> None:
    assert compile_folder(root).resolve_job_def(loop).execute_in_process().success


def mailed(root: Path) -> dict[str, EmailMessage]:
    """Read what is in the outbox, and empty it; by recipient."""
    found = {}
    for file in (root / ".skene" / "outbox").glob("*.eml"):
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.SMTP)
        assert isinstance(message, EmailMessage)
        found[str(message["To"])] = message
        file.unlink()
    return found


def decided(root: Path, loop: str) -> dict[int, str]:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        query = "SELECT user_id, COALESCE(reason, state) FROM skene_sends WHERE loop = ? ORDER BY user_id"
        return dict(connection.execute(query, (loop,)))


@pytest.mark.long
def test_one_click_in_a_mail_program_is_the_last_email_that_they_get(tmp_path: Path) -> None:
    settings = SETTINGS.replace(OWN_LINK, "public_url: https://mail.example.com") + TOPICS
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION}, settings)
    write_users(root, dormant=3)
    url = f"sqlite:///{root / '.skene' / 'skene.db'}"
    run(root, "retention")
    emails = mailed(root)
    first, second = (emails[f"user-{n}@example.com"] for n in (1, 2))
    one_click, on_the_page = (urlsplit(str(one["List-Unsubscribe"]).strip("<>")).path for one in (first, second))

    with serving_everybody(url, root) as served:
        browser = Browser(served.port)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        clicked = browser.ask("POST", one_click, str(first["List-Unsubscribe-Post"]).encode(), form)
    with serving(url, root) as served:
        browser = Browser(served.port)
        seen = browser.ask("GET", on_the_page)
        pressed = browser.ask("POST", on_the_page, b"act=no_topic", form)
    write_project(root, {"again.yaml": RETENTION.replace("type: retention", "type: retention\nname: again")}, settings)
    run(root, "again")

    assert (clicked.status, clicked.text) == (200, "")
    assert seen.state == "Now you get: Product news, Tips."
    assert pressed.state == "Now you get: Tips."
    assert decided(root, "again") == {1: "said_no", 2: "said_no", 3: "accepted"}
    assert set(mailed(root)) == {"user-3@example.com"}
    assert "Nothing needs a person." in skene(root, "status").output
