"""The emails of a frozen batch can be read back, whoever froze them."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from contract import NOON, message

from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.providers.base import Provider
from skene_dagster.settings import load

ENVIRON = {"RESEND_API_KEY": "re_test", "SKENE_SMTP_URL": "smtp://127.0.0.1:9"}
HARD = message(
    7,
    sender="Zoë & Söhne <hello@example.com>",
    subject="Schöne Grüße 👋 " + "a very long subject " * 8,
    html="<p>é “quoted” &amp; more</p>\n" * 40,
    text="Zeile eins\n\nZeile zwei: é\n",
)


def clock() -> datetime:
    return NOON


def opened(name: str, root: Path) -> Provider:
    settings = load(root, ENVIRON)
    return registry.open_outbox(settings, clock) if name == "outbox" else registry.named(name).open(settings, clock)


def same(one: Message) -> Message:
    """MIME ends each part with a line break, and has none of its own order of headers."""
    return replace(one, html=one.html.rstrip("\n"), headers=tuple(sorted(one.headers)), tags=tuple(sorted(one.tags)))


@pytest.mark.parametrize("name", ["outbox", *registry.REGISTERED])
@pytest.mark.parametrize("one", [message(1), HARD, replace(message(2), reply_to=None)], ids=["plain", "hard", "bare"])
def test_an_email_is_read_back_as_it_was_frozen(name: str, one: Message, tmp_path: Path) -> None:
    frozen = opened(name, tmp_path).freeze([one])

    (read,) = registry.thawed("outbox" if name == "outbox" else "live", name, frozen)

    assert same(read) == same(one)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'[{"from": 1}]', b"Subject: x\n\nplain", b"\xff\x00"])
@pytest.mark.parametrize("name", ["outbox", *registry.REGISTERED])
def test_bytes_that_are_none_of_ours_are_refused(name: str, body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json and we raise it with different words
        registry.thawed("outbox" if name == "outbox" else "live", name, Frozen(("0" * 32,), body))
