"""What a server and the way to it do wrong: each is sorted for what it proves, and the next try mends it."""

import http.client
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from urllib.parse import urlsplit

import pytest
import resend
from contract import ids_of, message
from resend_server import ResendServer, Scripted, refusal, resend_server

from skene_dagster.delivery.providers.base import Accepted, Answer, RateLimit, Refused, Throttled, Unknown
from skene_dagster.delivery.providers.json_emails import freeze
from skene_dagster.delivery.providers.resend.provider import ResendProvider

NOON = datetime(2026, 11, 23, 12)
BATCH = freeze([message(1), message(2), message(3)])
# More than the buffers between the two: whoever does not read it stops us in the middle of writing it.
LARGE = freeze([message(number, html="x" * 200_000) for number in range(100)])


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with resend_server() as running:
        yield running


@pytest.fixture
def provider(server: ResendServer) -> Iterator[ResendProvider]:
    opened = ResendProvider("re_test_123", server.url, timeout=(2.0, 1.0))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("fault", "expected", "arrived"),
    [
        pytest.param(refusal(500, "internal_server_error"), Unknown, 0, id="an error instead of acceptance"),
        pytest.param(Scripted(500, b"{}", accepts=True), Unknown, 3, id="an error after acceptance"),
        pytest.param(Scripted(502, b"<html>", accepts=True), Unknown, 3, id="an error page after acceptance"),
        pytest.param(Scripted(None), Unknown, 0, id="the connection is closed"),
        pytest.param(Scripted(None, accepts=True), Unknown, 3, id="the answer is dropped after acceptance"),
        pytest.param(Scripted("usual", late=0.1), Accepted, 3, id="a slow answer"),
        pytest.param(Scripted("usual", late=10), Unknown, 3, id="an answer that is too slow"),
        pytest.param(Scripted("usual", wire="trickled"), Accepted, 3, id="an answer in small parts"),
        pytest.param(Scripted("usual", wire="endless"), Unknown, 3, id="an answer that does not end"),
        pytest.param(Scripted("usual", wire="stalled"), Unknown, 3, id="an answer that stops in the middle"),
        pytest.param(Scripted("usual", wire="cut"), Unknown, 3, id="an answer that is cut in the middle"),
        pytest.param(Scripted("usual", wire="cut early"), Unknown, 3, id="an answer that is cut in its headers"),
        pytest.param(Scripted(None, wire="unread"), Unknown, 0, id="the connection is cut within the request"),
    ],
)
def test_whatever_becomes_of_an_answer_the_next_try_has_the_ids_and_nothing_is_sent_twice(
    server: ResendServer, provider: ResendProvider, fault: Scripted, expected: type[Answer], arrived: int
) -> None:
    server.script = [fault]

    answer = provider.send_batch(BATCH, "key-1")

    assert isinstance(answer, expected), answer
    assert len(server.emails) == arrived
    server.hurry.set()
    until(lambda: isinstance(provider.send_batch(BATCH, "key-1"), Accepted))
    assert ids_of(provider.send_batch(BATCH, "key-1")) == tuple(email["id"] for email in server.emails)
    assert len(server.emails) == 3


def until(happened: Callable[[], bool]) -> None:
    """Wait for the other side to be done."""
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline


def test_a_large_request_that_is_cut_in_the_middle_is_unknown(server: ResendServer, provider: ResendProvider) -> None:
    server.script = [Scripted(None, wire="unread")]

    answer = provider.send_batch(LARGE, "key-1")

    assert isinstance(answer, Unknown), answer
    assert server.emails == []
    assert len(ids_of(provider.send_batch(LARGE, "key-1"))) == 100


def test_a_key_that_is_being_worked_on_is_waited_for_and_then_has_the_first_ids(
    server: ResendServer, provider: ResendProvider
) -> None:
    server.script = [Scripted("usual", late=10)]
    first = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    first.request("POST", "/emails/batch", BATCH.body, {"Idempotency-Key": "key-1"})
    until(lambda: len(server.requests) == 1)

    second = provider.send_batch(BATCH, "key-1")
    another = provider.send_batch(freeze([message(7)]), "key-2")

    assert second == Throttled(5.0, "409 concurrent_idempotent_requests: No.", everybody=False)
    assert isinstance(another, Accepted)
    server.hurry.set()
    with first.getresponse() as answer:
        body = answer.read()
    first.close()
    third = ids_of(provider.send_batch(BATCH, "key-1"))
    assert [identity.encode() in body for identity in third] == [True] * 3
    assert len(server.emails) == 4


def test_a_limit_is_told_by_its_headers_and_a_call_too_many_is_throttled(
    server: ResendServer, provider: ResendProvider
) -> None:
    server.clock, server.per_second = lambda: NOON, 2

    answers = [provider.send_batch(BATCH, f"key-{number}") for number in range(3)]

    assert [type(answer) for answer in answers] == [Accepted, Accepted, Throttled]
    assert answers[2] == Throttled(1.0, "429 rate_limit_exceeded: No.")
    assert provider.rate_limit == RateLimit(2.0, 0, 1.0)
    assert len(server.emails) == 6


def test_a_batch_over_the_quota_is_throttled_whole_and_a_smaller_one_is_not(
    server: ResendServer, provider: ResendProvider
) -> None:
    server.quota = 2

    over, under = provider.send_batch(BATCH, "key-1"), provider.send_batch(freeze([message(7)]), "key-2")

    assert over == Throttled(3600.0, "429 daily_quota_exceeded: No.")
    assert isinstance(under, Accepted)
    assert len(server.emails) == 1


def test_a_batch_is_asked_to_be_strict_and_a_bad_address_refuses_all_of_it(
    server: ResendServer, provider: ResendProvider
) -> None:
    answer = provider.send_batch(freeze([message(1), message(2, to="nobody")]), "key-1")

    assert isinstance(answer, Refused)
    assert server.emails == []


def test_a_batch_that_was_taken_in_part_all_the_same_is_unknown(server: ResendServer, provider: ResendProvider) -> None:
    server.strict = False
    batch = freeze([message(1), message(2, to="nobody"), message(3)])

    answers = [provider.send_batch(batch, "key-1") for _ in range(2)]

    assert answers == [Unknown("Resend accepted, but named 2 ids for 3 emails", answered=True)] * 2
    assert [email["to"] for email in server.emails] == [["user1@example.com"], ["user3@example.com"]]


def test_a_permissive_batch_is_what_the_sdk_says_that_it_is(
    server: ResendServer, provider: ResendProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    del provider
    monkeypatch.setattr(resend, "api_key", "re_test_123")
    monkeypatch.setattr(resend, "api_url", server.url)
    good: resend.Emails.SendParams = {"from": "hello@example.com", "to": "user1@example.com", "subject": "Hello"}
    bad: resend.Emails.SendParams = {"from": "hello@example.com", "to": "user2@example.com", "subject": ""}

    answer = resend.Batch.send([bad, good], {"batch_validation": "permissive", "idempotency_key": "key-1"})

    assert [row["id"] for row in answer["data"]] == [email["id"] for email in server.emails]
    assert [email["to"] for email in server.emails] == ["user1@example.com"]
    assert [row["index"] for row in answer["errors"]] == [0]
