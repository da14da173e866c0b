"""What Resend's records prove of a batch, row by row: without a server, at the edges of the time in question."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from contract import message

from skene_dagster.delivery.email.message import ORIGIN_TAG, Frozen, origin
from skene_dagster.delivery.providers.base import Absent, Denied, Finding, Found, Sent, Unprovable
from skene_dagster.delivery.providers.json_emails import freeze, messages_of
from skene_dagster.delivery.providers.resend.records import Records

NOON = datetime(2026, 3, 2, 12)
SINCE, UNTIL = NOON, NOON + timedelta(minutes=10)
# Two clocks may lie two minutes apart.
FIRST, LAST = SINCE - timedelta(minutes=2), UNTIL + timedelta(minutes=2)
AN_INSTANT = timedelta(microseconds=1)
LONG_BEFORE, LATER = SINCE - timedelta(hours=1), UNTIL + timedelta(hours=1)

NOT_AS_NEW = "it shows no later request of ours, so it may not be up to date"
Row = dict[str, Any]


def a_batch(*numbers: int, ledger: str = "ledger", name: str = "batch") -> Frozen:
    tags = ((ORIGIN_TAG, origin(ledger, name)),) if ledger else ()
    return freeze([replace(message(n), tags=(*message(n).tags, *tags)) for n in numbers])


BATCH = a_batch(1, 2)


def emails_of(batch: Frozen) -> list[Row]:
    return [
        {"to": [one.to], "tags": [{"name": name, "value": value} for name, value in one.tags]}
        for one in messages_of(batch)
    ]


def request(at: datetime, batch: Frozen = BATCH, status: object = 200, **changed: object) -> Row:
    """A row of the log, with what it is when it is asked for alone."""
    answer = {"data": [{"id": f"id-{send_id[-1]}"} for send_id in batch.send_ids]}
    return {
        "id": f"log-{at.isoformat()}",
        "created_at": f"{at.isoformat(sep=' ')}+00",
        "endpoint": "/emails/batch",
        "method": "POST",
        "response_status": status,
        "request_body": emails_of(batch),
        "response_body": answer if status == 200 else {},
        **changed,
    }


def emails(at: datetime, batch: Frozen = BATCH) -> list[Row]:
    """Rows of the list, with what they are when they are asked for alone."""
    return [
        {"id": f"id-{send_id[-1]}", "created_at": f"{at.isoformat()}Z", **email}
        for send_id, email in zip(batch.send_ids, emails_of(batch), strict=True)
    ]


def denied(_: object) -> Mapping[str, Any]:
    raise Denied("no right to")


def page_of(rows: list[Row]) -> Callable[[Any], Mapping[str, Any]]:
    return lambda _: {"data": rows, "has_more": False}


def records(*, log: list[Row] | None = None, listed: list[Row] | None = None) -> Records:
    """Records of which one is denied, or both are there."""
    return Records(
        denied if log is None else page_of(log),
        lambda identity: next(row for row in log or [] if row["id"] == identity),
        denied if listed is None else page_of(listed),
        lambda identity: next(row for row in listed or [] if row["id"] == identity),
        {},
    )


def noted(asked: list[str], whole: Mapping[str, Row]) -> Callable[[str], Row]:
    """Give a record that is asked for alone, and note that it was."""

    def ask(identity: str) -> Row:
        asked.append(identity)
        return whole[identity]

    return ask


OLD, OURS = request(LONG_BEFORE, a_batch(7)), a_batch(8)
FOUND = Found(("id-1", "id-2"))
TOO_OLD = f"the log: {NOT_AS_NEW}"
UNCLEAR = "the log has a request of ours without a clear answer"
ENDS = "the log does not reach back to the first attempt"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([request(NOON)], FOUND, id="the batch itself"),
        pytest.param([request(FIRST), OLD], FOUND, id="the batch, by a clock that is behind"),
        pytest.param([request(LATER)], FOUND, id="the batch, hours later"),
        pytest.param([request(FIRST - AN_INSTANT)], TOO_OLD, id="before its time"),
        pytest.param([OLD], TOO_OLD, id="nothing since"),
        pytest.param([], ENDS, id="nothing at all"),
        pytest.param([request(NOON, a_batch(7))], ENDS, id="nothing before it"),
        pytest.param([OLD, request(LATER, OURS)], Absent(), id="a later one of ours"),
        pytest.param([OLD, request(LAST + AN_INSTANT, OURS)], Absent(), id="just late enough"),
        pytest.param([OLD, request(LAST, OURS)], TOO_OLD, id="just not late enough"),
        pytest.param([OLD, request(LATER, a_batch(8, ledger="another"))], TOO_OLD, id="of another ledger"),
        pytest.param([OLD, request(LATER, a_batch(8, ledger=""))], TOO_OLD, id="of no ledger"),
        pytest.param([OLD, request(LATER, OURS, endpoint="/emails")], TOO_OLD, id="no batch"),
        pytest.param([OLD, request(LATER, OURS, method="GET")], TOO_OLD, id="no sending"),
        pytest.param([OLD, request(LATER, OURS, 429)], Absent(), id="a later one that was throttled"),
        pytest.param([OLD, request(LATER, OURS, 500)], Absent(), id="a later one of which nothing is known"),
        pytest.param([OLD, request(NOON, OURS, 422)], TOO_OLD, id="a refusal of another in its time"),
        pytest.param([OLD, request(NOON, status=422)], Absent(), id="its own refusal"),
        pytest.param([OLD, request(NOON, status=400)], Absent(), id="its own refusal as no request"),
        pytest.param([OLD, request(NOON, status=409)], TOO_OLD, id="its own, while another was under way"),
        pytest.param([OLD, request(NOON, status=429)], TOO_OLD, id="its own, throttled"),
        pytest.param([OLD, request(NOON, status=500)], UNCLEAR, id="its own, with an error"),
        pytest.param(
            [OLD, request(NOON, response_body={"data": [{"id": "id-1"}]})], UNCLEAR, id="its own, with half its ids"
        ),
        pytest.param([OLD, request(NOON, a_batch(2, 3)), request(LATER, OURS)], UNCLEAR, id="one of its emails"),
        pytest.param([OLD, request(NOON, a_batch(2, 3), 422), request(LATER, OURS)], Absent(), id="refused with one"),
        pytest.param([OLD, request(NOON, request_body=None), request(LATER, OURS)], UNCLEAR, id="a body that is gone"),
        pytest.param([request(NOON), request(LATER, request_body=None)], FOUND, id="the batch before such a body"),
    ],
)
def test_what_the_log_proves(rows: list[Row], expected: Finding | str) -> None:
    found = records(log=rows).find(BATCH, SINCE, UNTIL)

    assert found == (Unprovable(f"{expected}; no right to") if isinstance(expected, str) else expected)


def test_a_batch_that_names_no_ledger_is_shown_to_be_absent_by_no_other() -> None:
    anonymous, later = a_batch(1, ledger=""), request(LATER, a_batch(8, ledger=""))

    found = records(log=[OLD, later], listed=[*emails(LONG_BEFORE, a_batch(7)), *emails(LATER, a_batch(8, ledger=""))])

    assert isinstance(found.find(anonymous, SINCE, UNTIL), Unprovable)


def test_a_request_is_looked_into_only_where_it_can_prove_something() -> None:
    """What was refused tells how new the log is, once; each look is a call."""
    asked: list[str] = []
    rows = [
        request(LATER + timedelta(minutes=2), OURS, 429),
        request(LATER + timedelta(minutes=1), OURS, 429),
        request(NOON, OURS, 429),
        OLD,
    ]
    whole = {row["id"]: row for row in rows}
    counting = replace(records(log=rows), log=noted(asked, whole))

    assert counting.find(BATCH, SINCE, UNTIL) == Absent()
    assert asked == [rows[0]["id"]]


def test_a_request_that_is_not_answered_yet_is_read_again() -> None:
    row = request(NOON, status=500)
    kept = records(log=[OLD, row])

    assert isinstance(kept.find(BATCH, SINCE, UNTIL), Unprovable)
    row |= {"response_status": 200, "response_body": request(NOON)["response_body"]}
    assert kept.find(BATCH, SINCE, UNTIL) == FOUND


BEFORE_IT, NEWER = emails(LONG_BEFORE, a_batch(7)), emails(LATER, OURS)
LIST_TOO_OLD = f"the list of emails: {NOT_AS_NEW}"
LIST_ENDS = "the list of emails does not reach back to the first attempt"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([*emails(NOON)], FOUND, id="the batch itself"),
        pytest.param([*emails(FIRST)], FOUND, id="the batch, by a clock that is behind"),
        pytest.param([*emails(NOON)[1:], *BEFORE_IT], Found((None, "id-2")), id="one of its emails"),
        pytest.param([*emails(NOON)[:1]], Found(("id-1", None)), id="one of its emails, and nothing before"),
        pytest.param([*emails(FIRST - AN_INSTANT)], LIST_TOO_OLD, id="before its time"),
        pytest.param([*BEFORE_IT], LIST_TOO_OLD, id="nothing since"),
        pytest.param([], LIST_ENDS, id="nothing at all"),
        pytest.param([*NEWER], LIST_ENDS, id="nothing before it"),
        pytest.param([*BEFORE_IT, *NEWER], Absent(), id="a later one of ours"),
        pytest.param([*BEFORE_IT, *emails(LAST + AN_INSTANT, OURS)], Absent(), id="just late enough"),
        pytest.param([*BEFORE_IT, *emails(LAST, OURS)], LIST_TOO_OLD, id="just not late enough"),
        pytest.param([*BEFORE_IT, *emails(LATER, a_batch(8, ledger="another"))], LIST_TOO_OLD, id="of another ledger"),
        pytest.param([*BEFORE_IT, *emails(LATER, a_batch(8, ledger=""))], LIST_TOO_OLD, id="of no ledger"),
        pytest.param(
            [*BEFORE_IT, *(row | {"to": "User One <USER1@example.com>"} for row in emails(NOON))],
            FOUND,
            id="addresses written otherwise",
        ),
        pytest.param(
            [*BEFORE_IT, *(row | {"tags": {"send": row["tags"][2]["value"]}} for row in emails(NOON))],
            FOUND,
            id="tags by name",
        ),
        pytest.param(
            [*emails(NOON, a_batch(2, name="made anew")), *BEFORE_IT],
            "the list of emails shows a part of the batch that was sent under another key",
            id="a part, under another key",
        ),
        pytest.param([*emails(NOON, a_batch(1, 2, name="made anew")), *BEFORE_IT], FOUND, id="all, under another key"),
    ],
)
def test_what_the_list_of_emails_proves(rows: list[Row], expected: Finding | str) -> None:
    found = records(listed=rows).find(BATCH, SINCE, UNTIL)

    assert found == (Unprovable(f"no right to; {expected}") if isinstance(expected, str) else expected)


@pytest.mark.parametrize(
    ("at", "looks"),
    [
        pytest.param(NOON, 0, id="in the time of the batch: its address alone says that it is another's"),
        pytest.param(LAST, 0, id="just not late enough to prove anything"),
        pytest.param(LATER, 20, id="later: twenty are looked into for one of ours"),
    ],
)
def test_emails_to_others_are_looked_into_only_for_a_later_one_of_ours(at: datetime, looks: int) -> None:
    asked: list[str] = []
    others = emails(at, a_batch(*range(3, 53), ledger="another"))
    rows = [row | {"id": f"other-{n}"} for n, row in enumerate(others)]

    look = noted(asked, {row["id"]: row for row in rows})
    found = replace(records(listed=[*rows, *BEFORE_IT]), email=look).find(BATCH, SINCE, UNTIL)

    assert isinstance(found, Unprovable)
    assert len(asked) == looks


def test_once_the_list_is_known_to_be_new_no_other_email_is_looked_into() -> None:
    rows = [*emails(LATER, a_batch(9)), *emails(LATER - timedelta(minutes=1), OURS), *BEFORE_IT]
    asked: list[str] = []
    whole = {row["id"]: row for row in rows}

    counting = replace(records(listed=rows), email=noted(asked, whole))

    assert counting.find(BATCH, SINCE, UNTIL) == Absent()
    assert asked == ["id-9"]


# The time of a row, as Resend's lists and single records have it.
@pytest.mark.parametrize(
    "written",
    [
        "2026-03-02 12:00:00+00",
        "2026-03-02 12:00:00.000000+00",
        "2026-03-02T12:00:00Z",
        "2026-03-02T12:00:00+00:00",
        "2026-03-02 14:00:00+02",
        "2026-03-02 07:00:00-05",
        "2026-03-02T12:00:00",
    ],
)
def test_a_time_is_read_however_it_is_written(written: str) -> None:
    row = emails(NOON, a_batch(1))[0] | {"created_at": written}

    [sent] = records(listed=[row]).sent(None, 1)

    assert sent == Sent("id-1", NOON, a_batch(1).send_ids[0], "ledger-batch")


@pytest.mark.parametrize(
    ("page", "why"),
    [
        pytest.param({"data": None}, "the records are not a list", id="no rows"),
        pytest.param({"data": [{"created_at": "yesterday"}]}, "a record has no time", id="no time"),
    ],
)
def test_records_of_another_shape_are_denied(page: Mapping[str, Any], why: str) -> None:
    with pytest.raises(Denied, match=why):
        list(replace(records(listed=[]), emails=lambda _: page).sent(None, 10))


@pytest.mark.parametrize(
    ("behind", "is_denied"), [(timedelta(minutes=2), False), (timedelta(minutes=2) + AN_INSTANT, True)]
)
def test_rows_of_a_page_may_be_out_of_order_by_as_much_as_clocks(behind: timedelta, is_denied: bool) -> None:
    rows = [*emails(NOON, a_batch(1)), *emails(NOON + behind, a_batch(2))]
    pages = {None: {"data": rows, "has_more": True}, "id-2": {"data": [], "has_more": False}}
    read = replace(records(listed=rows), emails=lambda params: pages[params.get("after")])

    if is_denied:
        with pytest.raises(Denied, match="not in the order of time"):
            list(read.sent(None, 10))
    else:
        assert [sent.provider_id for sent in read.sent(None, 10)] == ["id-1", "id-2"]


def test_pages_of_a_hundred_are_read_one_after_the_other_until_there_are_no_more() -> None:
    asked: list[object] = []
    first, second = emails(LATER, a_batch(1, 2)), emails(NOON, a_batch(3))

    def page(params: Mapping[str, object]) -> Mapping[str, Any]:
        asked.append(dict(params))
        return {"data": second if "after" in params else first, "has_more": "after" not in params}

    told = list(replace(records(listed=[*first, *second]), emails=page).sent(None, 10))

    assert [sent.provider_id for sent in told] == ["id-1", "id-2", "id-3"]
    assert asked == [{"limit": 100}, {"limit": 100, "after": "id-2"}]


def test_no_more_than_20_000_rows_are_read() -> None:
    asked: list[object] = []

    def page(params: object) -> Mapping[str, Any]:
        asked.append(params)
        return {"data": emails(NOON, a_batch(1)), "has_more": True}

    with pytest.raises(Denied, match="more than 20,000"):
        list(replace(records(listed=emails(NOON, a_batch(1))), emails=page).sent(None, 1_000))
    assert len(asked) == 200


@pytest.mark.parametrize(("most", "is_denied"), [(2, False), (1, True)])
@pytest.mark.parametrize("kind", ["log", "listed"])
def test_as_many_records_are_looked_into_as_one_may(kind: str, most: int, is_denied: bool) -> None:
    rows = [request(NOON, a_batch(1)), request(LATER, a_batch(2))] if kind == "log" else emails(NOON)
    read = records(log=rows) if kind == "log" else records(listed=rows)

    if is_denied:
        with pytest.raises(Denied):
            list(read.sent(None, most))
    else:
        assert {sent.provider_id for sent in read.sent(None, most)} == {"id-1", "id-2"}


@pytest.mark.parametrize("kind", ["log", "listed"])
def test_what_was_sent_at_the_moment_that_is_asked_for_is_told_and_nothing_before(kind: str) -> None:
    at = (NOON, NOON - AN_INSTANT)
    if kind == "log":
        read = records(log=[request(at[0], a_batch(1)), request(at[1], a_batch(2))])
    else:
        read = records(listed=[*emails(at[0], a_batch(1)), *emails(at[1], a_batch(2))])

    assert [sent.provider_id for sent in read.sent(NOON, 10)] == ["id-1"]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(request(NOON, endpoint="/emails"), id="a single email"),
        pytest.param(request(NOON, method="GET"), id="a question"),
        pytest.param(request(NOON, status=422), id="a refusal"),
    ],
)
def test_a_request_of_the_log_by_which_nothing_was_sent_as_a_batch_is_passed_over(row: Row) -> None:
    assert list(records(log=[row, OLD]).sent(NOON, 10)) == []
