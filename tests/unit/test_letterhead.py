"""How a recipient says no: the header that names a topic, and what one click means."""

from datetime import datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from template_world import email

from skene_dagster.cli.serve import serve
from skene_dagster.delivery.email.letterhead import Letterhead
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.providers.mime import mail
from skene_dagster.delivery.send.links import LOCALHOST, one_click
from skene_dagster.settings import Settings, load

SENDER = "sender: {from: Acme <hello@example.com>, public_url: https://mail.example.com}\n"


def read(root: Path, said: str) -> Settings:
    (root / "skene.yaml").write_text(SENDER + said, encoding="utf-8")
    return load(root, {})


@pytest.mark.parametrize(
    ("said", "scopes"),
    [
        pytest.param("", {"product": "marketing"}, id="there is nothing else to say no to"),
        pytest.param(
            "topics: {news: {title: News}, tips: {title: Tips}}",
            {"news": "marketing", "tips": "marketing"},
            id="one sender of two topics",
        ),
        pytest.param(
            "topics: {news: {title: News}, tips: {title: Tips, sender: team}}\nsenders: {team: {from: t@example.com}}",
            {"news": "topic:news", "tips": "topic:tips"},
            id="a sender each",
        ),
        pytest.param(
            "topics: {news: {title: News}, tips: {title: Tips, sender: team}, more: {title: More}}\n"
            "senders: {team: {from: t@example.com}}",
            {"news": "marketing", "tips": "topic:tips", "more": "marketing"},
            id="a sender of two, and another",
        ),
        pytest.param(
            "topics: {news: {title: News}, tips: {title: Tips, sender: team}}\n"
            "senders: {team: {from: 'The team <HELLO@Example.com>'}}",
            {"news": "marketing", "tips": "marketing"},
            id="another name at the same address",
        ),
        pytest.param(
            "topics: {news: {title: News}, tips: {title: Tips, sender: team}}\n"
            "senders: {team: {reply_to: t@example.com}}",
            {"news": "marketing", "tips": "marketing"},
            id="another address for replies alone",
        ),
    ],
)
def test_one_click_means_the_topic_only_where_its_sender_has_no_other(
    tmp_path: Path, said: str, scopes: dict[str, str]
) -> None:
    settings = read(tmp_path, said)

    assert {topic: one_click(settings, topic) for topic in settings.topics} == scopes


@pytest.mark.parametrize(
    ("topic", "named", "scope"),
    [
        pytest.param("tips", None, "topic:tips", id="nobody: its topic's own address"),
        pytest.param("tips", "team", "topic:tips", id="its topic's own sender"),
        pytest.param("tips", "founder", "marketing", id="somebody who may write about anything"),
        pytest.param("news", "founder", "marketing", id="likewise of another topic"),
    ],
)
def test_one_click_on_an_email_of_a_sender_of_its_own_stops_all(
    tmp_path: Path, topic: str, named: str | None, scope: str
) -> None:
    said = "topics: {news: {title: News}, tips: {title: Tips, sender: team}}\n"
    said += "senders: {team: {from: team@example.com}, founder: {from: ada@example.com}}"

    assert one_click(read(tmp_path, said), topic, named) == scope


def test_an_email_comes_from_whom_its_step_names(tmp_path: Path) -> None:
    settings = read(tmp_path, "senders: {founder: {from: Ada <ada@example.com>, reply_to: talk@example.com}}")

    plain, named = (Letterhead.of(settings, email(sender=name)) for name in (None, "founder"))

    assert (named.sender.from_, named.sender.reply_to) == ("Ada <ada@example.com>", "talk@example.com")
    assert named.sender.postal_address == plain.sender.postal_address
    assert named.list_id == plain.list_id


def headers_of(letterhead: Letterhead) -> list[tuple[str, str]]:
    """The headers as a mail program reads them from the wire."""
    assert letterhead.link is not None
    headers = letterhead.headers(letterhead.link)
    message = Message("ab" * 16, "a@example.com", "b@example.com", "Hi", "<p>Hi", "Hi", None, headers, ())
    wire = mail(message, datetime(2026, 3, 2), "example.com").as_bytes(policy=policy.SMTP)
    return [(name, str(value).replace("\r\n ", " ")) for name, value in message_from_bytes(wire).items()]


PLAIN = ["From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"]
AFTER = ["MIME-Version", "Content-Type"]


@given(title=st.text(max_size=128))
def test_whatever_title_is_accepted_a_header_of_it_is_one_header(
    tmp_path_factory: pytest.TempPathFactory, title: str
) -> None:
    settings = read(tmp_path_factory.getbasetemp(), "")
    try:
        topic = type(settings.topics["product"])(title=title)
    except ValidationError:
        return
    object.__setattr__(settings, "topics", {"product": topic})

    letterhead = Letterhead.of(settings, email())
    headers = headers_of(letterhead)

    assert [name for name, _ in headers] == PLAIN + AFTER
    for list_id in (letterhead.list_id, headers[PLAIN.index("List-Id")][1]):
        assert list_id.isascii()
        assert list_id.isprintable()
        assert list_id.endswith(" <product.example.com>")
    # RFC 2047; on its way through Python's email they are joined, as those of a subject are.
    assert all(len(word) <= 75 for word in letterhead.list_id.split() if word.startswith("=?"))


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("Product news", '"Product news" <product.example.com>'),
        ('"Best", they say', '"\\"Best\\", they say" <product.example.com>'),
        ("a\\b", '"a\\\\b" <product.example.com>'),
    ],
)
def test_a_title_is_quoted(tmp_path: Path, title: str, written: str) -> None:
    settings = read(tmp_path, f"topics: {{product: {{title: '{title}'}}}}")

    assert Letterhead.of(settings, email()).list_id == written


def test_a_title_beyond_ascii_is_encoded_in_words_that_fit(tmp_path: Path) -> None:
    title = "Neuigkeiten über Größe, Maße und andere schöne Dinge, die es bei uns im Frühling gibt"
    settings = read(tmp_path, f"topics: {{product: {{title: '{title}'}}}}")

    phrase, _, name = Letterhead.of(settings, email()).list_id.rpartition(" ")

    assert str(make_header(decode_header(phrase))) == title
    assert name == "<product.example.com>"


def test_mail_that_was_asked_for_has_no_link(tmp_path: Path) -> None:
    settings = read(tmp_path, "")

    assert Letterhead.of(settings, email(topic=None)) == Letterhead(settings.sender)


def test_an_email_that_is_only_shown_has_a_link_that_is_no_token(tmp_path: Path) -> None:
    assert Letterhead.of(read(tmp_path, ""), email()).link == "https://mail.example.com/u/example"


def test_the_links_of_mail_that_reaches_no_recipient_lead_to_where_serve_listens() -> None:
    (port,) = (one.default for one in serve.params if one.name == "port")

    assert f"http://localhost:{port}" == LOCALHOST
