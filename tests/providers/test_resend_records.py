"""What became of a batch, as Resend's own records tell: found, absent, or not to be proved either way."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import resend
from contract import ids_of, message
from resend_server import ResendServer, Scripted, refusal, resend_server

from skene_dagster.delivery.email.message import ORIGIN_TAG, Frozen, Message, origin
from skene_dagster.delivery.providers.base import Absent, Denied, Found, Unprovable, at_once
from skene_dagster.delivery.providers.json_emails import freeze
from skene_dagster.delivery.providers.resend import provider as resend_provider
from skene_dagster.delivery.providers.resend import records
from skene_dagster.delivery.providers.resend.provider import ResendProvider

NOON = datetime(2026, 3, 2, 12)
BEFORE, AFTER = NOON - timedelta(seconds=30), NOON + timedelta(seconds=30)
LATER = NOON + timedelta(minutes=20)
LEDGER = "ledger"


def of_a_ledger(*messages: Message, ledger: str = LEDGER, batch: str = "batch") -> Frozen:
    """A batch whose emails name the ledger and the batch that they come from."""
    tag = (ORIGIN_TAG, origin(ledger, batch))
    return freeze([replace(message, tags=(*message.tags, tag)) for message in messages])


BATCH = of_a_ledger(message(1), message(2), message(3))
LOST = Scripted(None, accepts=True)


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with resend_server() as running:
        running.clock = lambda: NOON
        yield running


@pytest.fixture
def provider(server: ResendServer) -> Iterator[ResendProvider]:
    opened = ResendProvider("re_test", server.url, timeout=(2.0, 2.0))
    yield opened
    opened.close()


def send_at(server: ResendServer, provider: ResendProvider, at: datetime, number: int) -> tuple[str, ...]:
    """Send another batch at another time."""
    server.clock = lambda: at
    ids = ids_of(provider.send_batch(of_a_ledger(message(number), batch="another"), f"other-{number}"))
    server.clock = lambda: NOON
    return tuple(ids)


def test_one_line_of_the_log_proves_a_batch_and_names_its_ids_in_order(
    server: ResendServer, provider: ResendProvider
) -> None:
    server.script.append(LOST)
    provider.send_batch(BATCH, "key-1")
    send_at(server, provider, NOON + timedelta(hours=20), 7)

    found = provider.find(BATCH, BEFORE, AFTER)

    assert found == Found(tuple(email["id"] for email in server.emails[:3]))


def test_a_batch_that_never_arrived_is_absent_where_the_log_reaches_back(
    server: ResendServer, provider: ResendProvider
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    send_at(server, provider, LATER, 8)

    assert provider.find(BATCH, BEFORE, AFTER) == Absent()


def test_its_own_refusal_shows_that_the_log_is_as_new_as_all_its_attempts(
    server: ResendServer, provider: ResendProvider
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    server.script.append(refusal(422, "validation_error"))
    provider.send_batch(BATCH, "key-1")
    # The log alone proves it.
    server.emails.clear()

    assert provider.find(BATCH, BEFORE, AFTER) == Absent()


def another_ledgers(server: ResendServer, provider: ResendProvider) -> None:
    del server
    provider.send_batch(of_a_ledger(message(8), ledger="another"), "key-8")


def the_products_own(server: ResendServer, provider: ResendProvider) -> None:
    del server
    provider.send_batch(freeze([message(8)]), "key-8")


def busy(server: ResendServer, provider: ResendProvider) -> None:
    server.clock = lambda: NOON
    server.script.append(refusal(409, "concurrent_idempotent_requests"))
    provider.send_batch(BATCH, "key-1")


def too_early(server: ResendServer, provider: ResendProvider) -> None:
    send_at(server, provider, AFTER + timedelta(minutes=1), 8)


@pytest.mark.parametrize(
    "last", [another_ledgers, the_products_own, busy, too_early], ids=lambda last: last.__name__.replace("_", " ")
)
def test_records_that_show_nothing_of_ours_after_the_attempt_may_be_older_than_it_and_prove_nothing(
    server: ResendServer, provider: ResendProvider, last: Callable[[ResendServer, ResendProvider], None]
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    server.clock = lambda: LATER
    last(server, provider)

    found = provider.find(BATCH, BEFORE, AFTER)

    assert isinstance(found, Unprovable)
    assert "no later request of ours" in found.reason


def test_a_refused_request_of_ours_shows_how_new_the_log_is(server: ResendServer, provider: ResendProvider) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    server.clock = lambda: LATER
    server.script.append(refusal(422, "validation_error"))
    provider.send_batch(of_a_ledger(message(8)), "key-8")

    assert provider.find(BATCH, BEFORE, AFTER) == Absent()


def test_a_batch_of_which_another_request_had_an_email_is_not_absent(
    server: ResendServer, provider: ResendProvider
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    provider.send_batch(of_a_ledger(message(2), message(9)), "key-9")
    server.emails.clear()
    send_at(server, provider, LATER, 8)

    assert isinstance(provider.find(BATCH, BEFORE, AFTER), Unprovable)


def test_what_the_log_told_once_is_not_asked_for_again(server: ResendServer, provider: ResendProvider) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    for number in range(5):
        send_at(server, provider, LATER, 10 + number)
    before = len(server.requests)

    calls: list[int] = []
    for batch in (BATCH, of_a_ledger(message(5))):
        assert provider.find(batch, BEFORE, AFTER) == Absent()
        calls.append(len(server.requests) - before - sum(calls))

    assert calls == [6, 1]


def test_a_look_ends_after_so_many_calls_and_proves_nothing(
    server: ResendServer, provider: ResendProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resend_provider, "CALLS", 5)
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    for number in range(20):
        send_at(server, provider, LATER, 10 + number)
    before = len(server.requests)

    found = provider.find(BATCH, BEFORE, AFTER)

    assert isinstance(found, Unprovable)
    assert "more than 5 calls" in found.reason
    assert len(server.requests) - before == 5


def test_records_that_do_not_reach_back_prove_nothing(server: ResendServer, provider: ResendProvider) -> None:
    send_at(server, provider, NOON + timedelta(hours=1), 7)

    assert isinstance(provider.find(BATCH, BEFORE, AFTER), Unprovable)


@pytest.mark.parametrize("page", [["a list"], {"data": ["no row"]}, {"data": [{"created_at": "0001-01-01T00:00+14"}]}])
def test_records_of_another_shape_prove_nothing_and_fail_nobody(
    provider: ResendProvider, monkeypatch: pytest.MonkeyPatch, page: object
) -> None:
    for kind in (resend.Logs, resend.Emails):
        monkeypatch.setattr(kind, "list", lambda _params: page)

    assert isinstance(provider.find(BATCH, BEFORE, AFTER), Unprovable)


def test_records_that_are_denied_prove_nothing(server: ResendServer, provider: ResendProvider) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    server.may_read = False

    found = provider.find(BATCH, BEFORE, AFTER)

    assert isinstance(found, Unprovable)
    assert "restricted_api_key" in found.reason


def test_after_a_server_error_the_emails_themselves_are_the_proof(
    server: ResendServer, provider: ResendProvider
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    server.script.append(Scripted(500, b"{}", accepts=True))
    provider.send_batch(BATCH, "key-1")
    # What the request got for an answer is all that the log knows.
    server.log[-1]["response_body"] = b"{}"

    assert provider.find(BATCH, BEFORE, AFTER) == Found(tuple(email["id"] for email in server.emails[-3:]))


def test_an_email_whose_record_is_gone_has_no_id(server: ResendServer, provider: ResendProvider) -> None:
    server.script.append(LOST)
    provider.send_batch(BATCH, "key-1")
    first, _, third = server.emails
    server.log.clear()
    server.emails.remove(server.emails[1])

    assert provider.find(BATCH, BEFORE, AFTER) == Found((first["id"], None, third["id"]))


def test_the_same_words_to_the_same_person_under_another_tag_are_another_email(
    server: ResendServer, provider: ResendProvider
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    last_month = freeze([message(1, send_id="f" * 32)])
    other = of_a_ledger(message(1))
    ids_of(provider.send_batch(other, "key-2"))
    server.emails[-1]["tags"] = [{"name": "send", "value": "f" * 32}]
    sent = server.emails[-1]["id"]
    send_at(server, provider, LATER, 8)
    server.log.clear()

    assert provider.find(other, BEFORE, AFTER) == Absent()
    assert provider.find(last_month, BEFORE, AFTER) == Found((sent,))


def test_many_pages_are_read(server: ResendServer, provider: ResendProvider) -> None:
    server.script.append(LOST)
    provider.send_batch(BATCH, "key-1")
    for number in range(230):
        send_at(server, provider, NOON + timedelta(seconds=number), 100 + number)

    assert provider.find(BATCH, BEFORE, AFTER) == Found(tuple(email["id"] for email in server.emails[:3]))


@pytest.mark.parametrize("body", [None, b"", b"[{", b"{}"], ids=["kept no longer", "empty", "cut off", "another shape"])
def test_a_request_whose_body_cannot_be_read_is_not_proved_to_be_anothers(
    server: ResendServer, provider: ResendProvider, body: bytes | None
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    server.script.append(LOST)
    provider.send_batch(BATCH, "key-1")
    server.log[-1]["request_body"] = body and body.decode()

    found = provider.find(BATCH, BEFORE, AFTER)

    assert found == Found(tuple(email["id"] for email in server.emails[-3:]))


@pytest.mark.parametrize("to", [["ada@example.com"], ["Ada <ada@example.com>"], "ada@example.com", None])
def test_an_email_is_found_however_the_list_spells_its_address_and_subject(
    server: ResendServer, provider: ResendProvider, to: object
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    batch = freeze([message(1, to="Ada@Example.com", subject="Hello  Ada ")])
    server.script.append(LOST)
    provider.send_batch(batch, "key-1")
    server.log.clear()
    server.emails[-1] |= {"to": to, "subject": "Hello Ada"}

    assert provider.find(batch, BEFORE, AFTER) == Found((server.emails[-1]["id"],))


def test_each_look_takes_its_turn_and_one_that_is_throttled_is_made_again(
    server: ResendServer, provider: ResendProvider
) -> None:
    provider.send_batch(BATCH, "key-1")
    posts, waited = len(server.requests), list[float]()
    server.reads += [refusal(429, "rate_limit_exceeded", retry_after="7")] * 2

    found = provider.find(BATCH, BEFORE, AFTER, waited.append)

    assert found == Found(tuple(email["id"] for email in server.emails))
    assert waited == [0.0, 7.0, 7.0, 0.0]
    assert len(server.requests) - posts == len(waited)


@pytest.mark.parametrize(
    ("answer", "times"),
    [
        pytest.param(refusal(429, "rate_limit_exceeded", retry_after="60"), 3, id="a rate that stays used up"),
        pytest.param(refusal(429, "rate_limit_exceeded", retry_after="61"), 1, id="a rate that is too far off"),
        pytest.param(refusal(429, "daily_quota_exceeded"), 1, id="a quota"),
    ],
)
def test_what_is_throttled_for_long_proves_nothing(
    server: ResendServer, provider: ResendProvider, answer: Scripted, times: int
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    server.reads += [answer] * 10
    before = len(server.requests)

    assert isinstance(provider.find(BATCH, BEFORE, AFTER), Unprovable)
    # Of the log, and of the list.
    assert len(server.requests) - before == 2 * times


@pytest.mark.parametrize(
    "at",
    [BEFORE - timedelta(seconds=90), AFTER + timedelta(minutes=4), AFTER + timedelta(hours=20)],
    ids=["a clock that is behind", "worked on late", "accepted hours later"],
)
@pytest.mark.parametrize("record", ["log", "list"])
def test_what_the_records_show_is_found_however_late_it_was_accepted(
    server: ResendServer, provider: ResendProvider, at: datetime, record: str
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    server.clock = lambda: at
    provider.send_batch(BATCH, "key-1")
    if record == "list":
        server.log.clear()

    assert provider.find(BATCH, BEFORE, AFTER) == Found(tuple(email["id"] for email in server.emails[-3:]))


def test_records_that_are_not_in_the_order_of_time_prove_nothing(
    server: ResendServer, provider: ResendProvider
) -> None:
    for number in range(120):
        send_at(server, provider, NOON + timedelta(minutes=5 * (number + 2)), 100 + number)
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    for rows in (server.log, server.emails):
        rows.insert(0, rows.pop())
        rows[1:] = rows[:0:-1]

    assert isinstance(provider.find(BATCH, BEFORE, AFTER), Unprovable)


def test_records_that_are_too_many_to_read_prove_nothing(
    server: ResendServer, provider: ResendProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "PAGES", 2)
    send_at(server, provider, NOON - timedelta(hours=1), 7)
    for number in range(230):
        send_at(server, provider, NOON + timedelta(seconds=number), 100 + number)

    found = provider.find(BATCH, BEFORE, AFTER)

    assert isinstance(found, Unprovable)
    assert "more than 200" in found.reason


def origins(
    provider: ResendProvider, since: datetime | None = BEFORE, most: int = 20_000
) -> list[tuple[str, str, str]]:
    return [(sent.provider_id, sent.send_id, sent.origin) for sent in provider.sent(since, at_once, most)]


def of_ledger(number: int, origin: str) -> Frozen:
    """A batch of two emails that name where they come from."""
    return freeze([replace(message(n), tags=(*message(n).tags, ("origin", origin))) for n in (number, number + 1)])


def test_what_was_sent_is_told_by_the_log_the_newest_first_a_call_for_each_batch(
    server: ResendServer, provider: ResendProvider
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 9)
    first = ids_of(provider.send_batch(of_ledger(1, "ledger-one"), "key-1"))
    server.script.append(refusal(422, "validation_error"))
    provider.send_batch(of_ledger(3, "ledger-two"), "key-2")
    asked = len(server.requests)

    told = origins(provider)

    assert told == [(first[n], of_ledger(1, "").send_ids[n], "ledger-one") for n in (0, 1)]
    assert len(server.requests) - asked == 2


def test_what_was_sent_is_told_by_the_list_where_the_log_is_not_clear(
    server: ResendServer, provider: ResendProvider
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 9)
    server.script.append(LOST)
    provider.send_batch(of_ledger(1, "ledger-one"), "key-1")
    server.log[-1]["request_body"] = None

    assert {(send_id, origin) for _, send_id, origin in origins(provider)} == {
        (send_id, "ledger-one") for send_id in of_ledger(1, "").send_ids
    }


@pytest.mark.parametrize(
    ("since", "most", "words"),
    [
        pytest.param(BEFORE, 20_000, r"does not reach back to 02 Mar 2026, 11:57 UTC", id="they begin too late"),
        pytest.param(None, 1, "the records are too many", id="there are too many"),
    ],
)
def test_records_that_do_not_tell_all_that_was_sent_say_so(
    provider: ResendProvider, since: datetime | None, most: int, words: str
) -> None:
    for number in (1, 3):
        provider.send_batch(of_ledger(number, "ledger-one"), f"key-{number}")

    with pytest.raises(Denied, match=words):
        origins(provider, since, most)


def test_a_key_that_may_only_send_is_told_nothing(server: ResendServer, provider: ResendProvider) -> None:
    server.may_read = False

    with pytest.raises(Denied, match="restricted_api_key"):
        origins(provider)


def test_what_was_sent_is_told_by_the_list_where_the_log_names_fewer_ids_than_emails(
    server: ResendServer, provider: ResendProvider
) -> None:
    send_at(server, provider, NOON - timedelta(hours=1), 9)
    provider.send_batch(of_ledger(1, "ledger-one"), "key-1")
    first = json.loads(server.log[-1]["response_body"])["data"][0]
    server.log[-1]["response_body"] = json.dumps({"data": [first]}).encode()

    assert {(send_id, origin) for _, send_id, origin in origins(provider)} == {
        (send_id, "ledger-one") for send_id in of_ledger(1, "").send_ids
    }
