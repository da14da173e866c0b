"""Resend's list of suppressions through the real SDK: read, added to, shortened; and whatever it may answer instead."""

import json
from collections.abc import Iterator
from datetime import datetime

import pytest
from resend_server import ResendServer, Scripted, refusal, resend_server

from skene_dagster.delivery.providers.base import Denied, Forbidden, at_once
from skene_dagster.delivery.providers.resend.provider import ResendProvider
from skene_dagster.delivery.providers.resend.suppression_list import ResendSuppressionList

NOON = datetime(2026, 11, 1, 12)
ADA = "ada@example.com"


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with resend_server() as running:
        yield running


@pytest.fixture
def listed(server: ResendServer) -> Iterator[ResendSuppressionList]:
    provider = ResendProvider("re_test_123", server.url, timeout=(2.0, 2.0))
    yield provider.suppression_list(at_once)
    provider.close()


def page_of(*rows: object, more: bool = False) -> Scripted:
    return Scripted(200, json.dumps({"object": "list", "has_more": more, "data": rows}).encode())


def test_a_page_has_the_newest_entries_and_leads_to_the_next(
    server: ResendServer, listed: ResendSuppressionList
) -> None:
    ids = server.suppressed.put_many(150, NOON)

    first = listed.page(None)
    second = listed.page(first.last)

    assert [one.entry_id for one in (*first.entries, *second.entries)] == ids[::-1]
    assert (len(first.entries), first.last, second.last) == (100, ids[50], None)


@pytest.mark.parametrize("origin", ["bounce", "complaint", "manual"])
def test_an_entry_says_whose_it_is_why_and_since_when(
    server: ResendServer, listed: ResendSuppressionList, origin: str
) -> None:
    server.suppressed.put(ADA, origin, NOON)

    found = listed.entry(ADA)

    assert found is not None
    assert (found.address, found.origin, found.since) == (ADA, origin, NOON)
    assert listed.entry(found.entry_id) == found
    assert listed.entry("bob+1/@example.com") is None


def test_what_is_added_twice_is_there_once_and_what_is_removed_twice_is_gone(
    server: ResendServer, listed: ResendSuppressionList
) -> None:
    assert listed.add([ADA, "bob@example.com"])
    assert listed.add([ADA])
    found = listed.entry(ADA)
    assert found is not None
    listed.remove(found.entry_id)
    listed.remove(found.entry_id)

    assert [one["email"] for one in server.suppressed.entries] == ["bob@example.com"]


def test_an_address_that_is_not_taken_is_an_answer_and_no_failure(
    server: ResendServer, listed: ResendSuppressionList
) -> None:
    server.suppressed.refuses = frozenset({ADA})

    assert not listed.add([ADA, "bob@example.com"])
    assert server.suppressed.entries == []


def test_a_call_that_comes_too_often_is_made_again(server: ResendServer, listed: ResendSuppressionList) -> None:
    server.suppressed.put(ADA, "bounce", NOON)
    server.reads.append(refusal(429, "rate_limit_exceeded", retry_after="0.1"))
    server.script.append(refusal(429, "rate_limit_exceeded", retry_after="0.1"))

    assert len(listed.page(None).entries) == 1
    assert listed.add(["bob@example.com"])


def test_a_key_that_may_only_send_is_forbidden_everything(server: ResendServer, listed: ResendSuppressionList) -> None:
    server.may_read = False

    for call in (
        lambda: listed.page(None),
        lambda: listed.entry(ADA),
        lambda: listed.add([ADA]),
        lambda: listed.remove(ADA),
    ):
        with pytest.raises(Forbidden, match="restricted_api_key"):
            call()


GOOD = {"id": "a", "email": ADA, "origin": "bounce", "created_at": "2026-11-01T12:00:00.000Z"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refusal(500, "internal_server_error"), id="500"),
        pytest.param(refusal(404, "not_found"), id="404"),
        pytest.param(Scripted(502, b"<html>", {"Content-Type": "text/html"}), id="a gateway"),
        pytest.param(Scripted(200, b"[]"), id="a list"),
        pytest.param(Scripted(200, b"null"), id="nothing"),
        pytest.param(Scripted(200, b"{}"), id="no rows"),
        pytest.param(Scripted(200, b'{"data": {"a": 1}}'), id="rows that are none"),
        pytest.param(page_of(*[GOOD] * 101), id="more than was asked for"),
        pytest.param(page_of(more=True), id="an end that is none"),
        pytest.param(page_of(GOOD | {"id": None}, more=True), id="no id to go on from"),
        pytest.param(page_of(GOOD | {"id": "a/../b"}, more=True), id="an id that is none"),
        pytest.param(page_of("x", more=True), id="an entry that is a text"),
        pytest.param(Scripted(None), id="no answer"),
        pytest.param(Scripted(200, b'{"data": [', wire="cut"), id="half an answer"),
    ],
)
def test_a_page_that_cannot_be_understood_is_denied(
    server: ResendServer, listed: ResendSuppressionList, answer: Scripted
) -> None:
    server.reads += [answer] * 3

    with pytest.raises(Denied):
        listed.page(None)


@pytest.mark.parametrize(
    ("row", "unread"),
    [
        pytest.param(GOOD, 0, id="a good one"),
        pytest.param(GOOD | {"origin": "a new one"}, 0, id="an origin that is new to us"),
        pytest.param(GOOD | {"origin": ["x"]}, 0, id="an origin that is none"),
        pytest.param(GOOD | {"created_at": "yesterday"}, 0, id="no moment"),
        pytest.param(GOOD | {"created_at": "0001-01-01T00:00:00+14:00"}, 0, id="a moment before time"),
        pytest.param(GOOD | {"created_at": None}, 0, id="none"),
        pytest.param(GOOD | {"email": 7}, 1, id="a number"),
        pytest.param({"id": "a"}, 1, id="no address"),
        pytest.param("x", 1, id="a text"),
        pytest.param(None, 1, id="nothing"),
    ],
)
def test_an_entry_that_cannot_be_understood_is_counted_and_hides_no_other(
    server: ResendServer, listed: ResendSuppressionList, row: object, unread: int
) -> None:
    server.reads.append(page_of(row, GOOD | {"id": "b"}))

    page = listed.page(None)

    assert (len(page.entries), page.unread) == (2 - unread, unread)


@pytest.mark.parametrize("said", [b"{}", b"[]", b'{"id": "a"}', b'{"email": "x"}', b"null"])
def test_a_single_entry_that_cannot_be_understood_is_not_taken_for_none(
    server: ResendServer, listed: ResendSuppressionList, said: bytes
) -> None:
    server.reads.append(Scripted(200, said))

    with pytest.raises(Denied):
        listed.entry(ADA)
