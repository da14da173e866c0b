"""What every provider must do, as sets of tests; a class inherits them, and defines the world that they run on."""

import email
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Protocol

import pytest

from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.providers.base import Accepted, Answer, Denied, Provider, Unprovable, at_once

NOON = datetime(2026, 11, 23, 12)


@dataclass(frozen=True)
class Received:
    """An email as the other side got it."""

    sender: str
    to: str
    subject: str
    html: str
    text: str
    reply_to: str | None
    headers: dict[str, str]
    tags: dict[str, str]


class World(Protocol):
    """A provider, and what reached the other side through it, in order."""

    @property
    def provider(self) -> Provider: ...

    def received(self) -> list[Received]: ...


def message(number: int = 0, **changed: str) -> Message:
    """Make an email that differs from the others by its number."""
    plain = Message(
        send_id=f"{number:032x}",
        sender="Orbit <hello@example.com>",
        to=f"user{number}@example.com",
        subject=f"Email {number}",
        html=f"<!doctype html><html><head><title>x</title></head><body><p>Hello {number}</p></body></html>",
        text=f"Hello {number}\n",
        reply_to="answers@example.com",
        headers=(
            ("List-Unsubscribe", f"<https://example.com/unsubscribe/{'long-' * 30}{number}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ),
        tags=(("loop", "retention"), ("step", "main"), ("send", f"{number:032x}")),
    )
    return replace(plain, **changed)  # type: ignore[arg-type]  # only the text fields are ever changed


def sent(world: World, *messages: Message, key: str = "key-1") -> Answer:
    """Freeze a batch, and send it."""
    return world.provider.send_batch(world.provider.freeze(messages), key)


def ids_of(answer: Answer) -> Sequence[str]:
    assert isinstance(answer, Accepted), answer
    return answer.ids


def many(world: World) -> list[Message]:
    """As many emails as a batch may have."""
    return [message(number) for number in range(world.provider.terms.batch_limit)]


OURS = {"From", "To", "Subject", "Date", "Message-ID", "Reply-To", "X-Idempotency-Key", "MIME-Version", "Content-Type"}
"""Headers that an email has, or may have, by itself."""


def read(raw: bytes) -> Received:
    """Read an email as a mail program does."""
    mail = email.message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    assert html is not None
    assert text is not None
    others = {name: str(value) for name, value in mail.items() if name not in OURS}
    return Received(
        sender=mail["From"],
        to=mail["To"],
        subject=mail["Subject"],
        # Lines of an email end with CRLF, and its parts with a line.
        html=html.get_content().replace("\r\n", "\n").removesuffix("\n"),
        text=text.get_content().replace("\r\n", "\n"),
        reply_to=mail["Reply-To"],
        headers={name: value for name, value in others.items() if not name.startswith("X-Tag-")},
        tags={name.removeprefix("X-Tag-"): value for name, value in others.items() if name.startswith("X-Tag-")},
    )


class ProviderContract:
    """Inherit, and define the fixture `world`."""

    def test_a_batch_is_accepted_with_an_id_for_each_email(self, world: World) -> None:
        batch = many(world)

        ids = ids_of(sent(world, *batch))

        assert len(set(ids)) == len(batch)
        assert sorted(mail.to for mail in world.received()) == sorted(mail.to for mail in batch)

    def test_the_same_emails_freeze_to_the_same_bytes(self, world: World) -> None:
        provider, batch = world.provider, many(world)

        assert provider.freeze(batch) == provider.freeze(batch)

    def test_every_part_of_an_email_arrives_as_it_was(self, world: World) -> None:
        written = message(
            7,
            sender='"Ørbit, Ltd" <hello@example.com>',
            subject="Ein «sehr» langer Betreff mit Zeichen von weit her: عرب, 日本語, 🙂 "
            + "und noch mehr Worten " * 5,
            html="<html><head></head><body>" + "<p>größer &amp; <b>länger</b></p>" * 300 + "</body></html>",
            text="Zeile eins: größer\n\n.\n..zwei\nFrom here on\n" + "x" * 2000 + "\n",
        )

        ids_of(sent(world, written))

        assert world.received() == [
            Received(
                sender=written.sender,
                to=written.to,
                subject=written.subject,
                html=written.html,
                text=written.text,
                reply_to=written.reply_to,
                headers=dict(written.headers),
                tags=dict(written.tags),
            )
        ]

    def test_an_email_needs_neither_reply_to_nor_headers(self, world: World) -> None:
        ids_of(sent(world, replace(message(1), reply_to=None, headers=())))

        assert [(mail.reply_to, mail.headers) for mail in world.received()] == [(None, {})]

    @pytest.mark.parametrize("more", [pytest.param(False, id="none"), pytest.param(True, id="one too many")])
    def test_a_batch_that_it_does_not_take_is_our_own_mistake(self, world: World, more: bool) -> None:
        limit = world.provider.terms.batch_limit

        with pytest.raises(ValueError, match=f"1 to {limit} messages"):
            sent(world, *([*many(world), message(limit)] if more else []))

        assert world.received() == []

    @pytest.mark.parametrize(
        "key",
        [
            pytest.param("", id="empty"),
            pytest.param("k" * 257, id="too long"),
            pytest.param("schlüssel", id="not ASCII"),
            pytest.param("key\r\nX-Other: 1", id="two lines"),
        ],
    )
    def test_a_key_that_no_provider_takes_is_our_own_mistake(self, world: World, key: str) -> None:
        with pytest.raises(ValueError, match="256"):
            sent(world, message(1), key=key)

        assert world.received() == []

    def test_it_finds_what_it_accepted_or_says_that_it_has_no_records(self, world: World) -> None:
        provider = world.provider
        frozen = provider.freeze([message(1)])
        ids_of(provider.send_batch(frozen, "key-1"))

        found = provider.find(frozen, NOON - timedelta(days=365), NOON + timedelta(days=365))

        assert isinstance(found, Unprovable) is (provider.terms.proves_after is None)
        if provider.terms.proves_after is None:
            with pytest.raises(Denied):
                next(provider.sent(None, at_once, 100))

    def test_it_goes_on_after_it_was_closed(self, world: World) -> None:
        ids_of(sent(world, message(1)))

        world.provider.close()

        ids_of(sent(world, message(2), key="key-2"))
        assert sorted(mail.to for mail in world.received()) == ["user1@example.com", "user2@example.com"]


class KeyContract:
    """What those must do besides whose keys live: inherit, and define the fixture `world`."""

    def test_the_same_batch_under_the_same_key_is_accepted_once(self, world: World) -> None:
        first = sent(world, message(1), message(2))

        second = sent(world, message(1), message(2))

        assert second == first
        assert len(world.received()) == 2

    def test_another_key_is_another_acceptance(self, world: World) -> None:
        first = ids_of(sent(world, message(1)))

        second = ids_of(sent(world, message(1), key="key-2"))

        assert set(first).isdisjoint(second)
        assert len(world.received()) == 2

    def test_other_emails_under_a_used_key_are_not_accepted(self, world: World) -> None:
        ids_of(sent(world, message(1)))

        answer = sent(world, message(2))

        assert not isinstance(answer, Accepted)
        assert [mail.to for mail in world.received()] == ["user1@example.com"]
