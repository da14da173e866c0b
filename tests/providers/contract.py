"""What every provider must do, as one set of tests: each provider's test file runs them on a world of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import pytest

from skene_dagster.delivery.email.message import Message, freeze
from skene_dagster.delivery.providers.base import Accepted, Answer, Provider


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


def ids_of(answer: Answer) -> Sequence[str]:
    assert isinstance(answer, Accepted), answer
    return answer.ids


class ProviderContract:
    """Inherit, and define the fixture `world`."""

    def test_a_batch_is_accepted_with_an_id_for_each_email_in_order(self, world: World) -> None:
        batch = [message(number) for number in range(100)]

        ids = ids_of(world.provider.send_batch(freeze(batch), "key-1"))

        assert len(set(ids)) == 100
        assert sorted(mail.to for mail in world.received()) == sorted(mail.to for mail in batch)
        assert ids_of(world.provider.send_batch(freeze(batch), "key-1")) == ids

    def test_the_same_batch_under_the_same_key_is_accepted_once(self, world: World) -> None:
        batch = [message(1), message(2)]
        first = world.provider.send_batch(freeze(batch), "key-1")

        second = world.provider.send_batch(freeze(batch), "key-1")

        assert second == first
        assert len(world.received()) == 2

    def test_another_key_is_another_acceptance(self, world: World) -> None:
        first = ids_of(world.provider.send_batch(freeze([message(1)]), "key-1"))

        second = ids_of(world.provider.send_batch(freeze([message(1)]), "key-2"))

        assert set(first).isdisjoint(second)
        assert len(world.received()) == 2

    def test_other_emails_under_a_used_key_are_not_accepted(self, world: World) -> None:
        ids_of(world.provider.send_batch(freeze([message(1)]), "key-1"))

        answer = world.provider.send_batch(freeze([message(2)]), "key-1")

        assert not isinstance(answer, Accepted)
        assert [mail.to for mail in world.received()] == ["user1@example.com"]

    def test_every_part_of_an_email_arrives_as_it_was(self, world: World) -> None:
        sent = message(
            7,
            sender='"Ørbit, Ltd" <hello@example.com>',
            subject="Ein «sehr» langer Betreff mit Zeichen von weit her: عرب, 日本語, 🙂 "
            + "und noch mehr Worten " * 5,
            html="<html><head></head><body>" + "<p>größer &amp; <b>länger</b></p>" * 300 + "</body></html>",
            text="Zeile eins: größer\n\n.\nFrom here on\n" + "x" * 2000 + "\n",
        )

        ids_of(world.provider.send_batch(freeze([sent]), "key-1"))

        assert world.received() == [
            Received(
                sender=sent.sender,
                to=sent.to,
                subject=sent.subject,
                html=sent.html,
                text=sent.text,
                reply_to=sent.reply_to,
                headers=dict(sent.headers),
                tags=dict(sent.tags),
            )
        ]

    def test_an_email_needs_neither_reply_to_nor_headers(self, world: World) -> None:
        sent = replace(message(1), reply_to=None, headers=())

        ids_of(world.provider.send_batch(freeze([sent]), "key-1"))

        assert [(mail.reply_to, mail.headers) for mail in world.received()] == [(None, {})]

    @pytest.mark.parametrize("count", [0, 101])
    def test_a_batch_that_no_provider_takes_is_our_own_mistake(self, world: World, count: int) -> None:
        with pytest.raises(ValueError, match="1 to 100"):
            world.provider.send_batch(freeze([message(number) for number in range(count)]), "key-1")

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
            world.provider.send_batch(freeze([message(1)]), key)

        assert world.received() == []
