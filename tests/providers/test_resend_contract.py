"""The contract, kept by our provider and Resend's own SDK: with the local Resend, and with one that others made.

What both must do is tested with both, by the same tests. What the emulator never does, faults, is in the other files.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from contract import KeyContract, ProviderContract, Received, ids_of, message
from resend_emulator import Emulator
from resend_server import resend_server

from skene_dagster.delivery.providers.base import Found, Refused, Unknown, Unprovable
from skene_dagster.delivery.providers.json_emails import freeze
from skene_dagster.delivery.providers.resend.provider import ResendProvider

Email = dict[str, Any]


@dataclass(frozen=True)
class ResendWorld:
    provider: ResendProvider
    emails: Callable[[], list[Email]]

    def received(self) -> list[Received]:
        return [received(email) for email in self.emails()]


def received(email: Email) -> Received:
    [to] = email["to"]
    # emulate 0.12.2, 2026-11: every address is in a list; the local Resend shows what came.
    reply_to = email.get("reply_to")
    return Received(
        sender=email["from"],
        to=to,
        subject=email["subject"],
        html=email["html"],
        text=email["text"],
        reply_to=next(iter(reply_to), None) if isinstance(reply_to, list) else reply_to,
        headers=email["headers"],
        tags={tag["name"]: tag["value"] for tag in email["tags"]},
    )


@pytest.fixture(params=["the local Resend", "Resend's emulator"])
def world(request: pytest.FixtureRequest) -> Iterator[ResendWorld]:
    if request.param == "the local Resend":
        with resend_server() as server:
            yield from _world(server.url, lambda: server.emails)
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        yield from _world(emulator.url, emulator.emails)


def _world(url: str, emails: Callable[[], list[Email]]) -> Iterator[ResendWorld]:
    provider = ResendProvider("re_test_123", url, timeout=(5.0, 5.0))
    yield ResendWorld(provider, emails)
    provider.close()


class TestResendKeepsTheContract(ProviderContract, KeyContract):
    pass


def test_an_email_carries_the_id_that_was_given_for_it(world: ResendWorld) -> None:
    batch = [message(number) for number in range(100)]

    ids = ids_of(world.provider.send_batch(freeze(batch), "key-1"))

    there = {email["id"]: email["to"] for email in world.emails()}
    assert [there[identity] for identity in ids] == [[mail.to] for mail in batch]


def test_a_used_key_with_other_emails_is_unknown_and_keeps_what_it_answered_first(world: ResendWorld) -> None:
    first = world.provider.send_batch(freeze([message(1)]), "key-1")

    other = world.provider.send_batch(freeze([message(1, subject="Another")]), "key-1")

    assert isinstance(other, Unknown)
    assert other.reason.startswith("409 invalid_idempotent_request")
    assert world.provider.send_batch(freeze([message(1)]), "key-1") == first
    assert len(world.received()) == 1


def test_the_same_emails_in_another_order_are_other_emails(world: ResendWorld) -> None:
    ids_of(world.provider.send_batch(freeze([message(1), message(2)]), "key-1"))

    answer = world.provider.send_batch(freeze([message(2), message(1)]), "key-1")

    assert isinstance(answer, Unknown)
    assert len(world.received()) == 2


def test_one_bad_email_refuses_its_whole_batch(world: ResendWorld) -> None:
    refused = world.provider.send_batch(freeze([message(1), message(2, subject=""), message(3)]), "key-1")

    assert isinstance(refused, Refused)
    assert refused.reason.startswith("422 validation_error")
    assert world.received() == []


def test_a_batch_as_large_as_any_that_we_make_arrives_whole(world: ResendWorld) -> None:
    batch = [message(number, html=f"<p>{'ä' * 20_000}{number}</p>") for number in range(100)]

    ids_of(world.provider.send_batch(freeze(batch), "key-1"))

    assert [mail.html for mail in world.received()] == [mail.html for mail in batch]


def test_the_records_know_the_ids_of_what_was_accepted(world: ResendWorld) -> None:
    batch = freeze([message(1), message(2), message(3)])
    began = datetime.now(timezone.utc).replace(tzinfo=None)
    ids_of(world.provider.send_batch(freeze([message(7)]), "key-0"))
    ids = ids_of(world.provider.send_batch(batch, "key-1"))

    assert world.provider.find(batch, began, began + timedelta(minutes=1)) == Found(tuple(ids))


def test_the_records_of_a_minute_do_not_prove_that_nothing_was_accepted_before(world: ResendWorld) -> None:
    ids_of(world.provider.send_batch(freeze([message(7)]), "key-0"))
    yesterday = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(days=1)

    assert isinstance(world.provider.find(freeze([message(1)]), yesterday, yesterday), Unprovable)


def test_headers_of_another_kind_of_limit_are_not_taken_for_resends(emulator: Emulator) -> None:
    provider = ResendProvider("re_test_123", emulator.url)

    ids_of(provider.send_batch(freeze([message(1)]), "key-1"))

    provider.close()
    assert provider.rate_limit is None
