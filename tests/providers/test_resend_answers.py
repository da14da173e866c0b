"""What an answer of Resend's means, read from its status, its name and its headers; without a server."""

from dataclasses import dataclass, field

import pytest

from skene_dagster.delivery.providers.base import Accepted, Answer, Fatal, RateLimit, Refused, Throttled, Unknown
from skene_dagster.delivery.providers.resend.answers import accepted, ends_a_key, rate_limit, refuses, shown, sort

HOUR, DAY = 3_600.0, 86_400.0


@dataclass
class Error:
    code: int | str
    error_type: str = "an_error"
    message: str = "why"
    headers: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(Error(399), Unknown, id="no error at all"),
        pytest.param(Error(400), Refused, id="the first of the client's errors"),
        pytest.param(Error(499), Unknown, id="the last of them, which is a proxy's"),
        pytest.param(Error(498), Refused, id="the one before"),
        pytest.param(Error(500), Unknown, id="the server's"),
        pytest.param(Error("422"), Refused, id="a status as a text"),
        pytest.param(Error("no number"), Unknown, id="no status"),
        *(pytest.param(Error(status), Fatal, id=f"{status}") for status in (401, 403, 404, 405, 451)),
        *(pytest.param(Error(status), Unknown, id=f"{status}") for status in (407, 408, 421, 425)),
        pytest.param(Error(422, "invalid_from_address"), Fatal, id="a sender that Resend does not know"),
        pytest.param(Error(413, "application_error"), Refused, id="too large, as text"),
        pytest.param(Error(422, "application_error"), Unknown, id="no JSON"),
        pytest.param(Error(422, "HttpClientError"), Unknown, id="no answer"),
        pytest.param(Error(409, "invalid_idempotent_request"), Unknown, id="another payload under the key"),
        pytest.param(Error(409), Throttled, id="held up"),
        pytest.param(Error(429), Throttled, id="too often"),
    ],
)
def test_an_error_is_of_one_of_five_kinds(error: Error, kind: type[Answer]) -> None:
    assert isinstance(sort(error), kind)


@pytest.mark.parametrize(
    ("error", "is_answered"),
    [
        pytest.param(Error(409, "invalid_idempotent_request"), True, id="Resend itself"),
        pytest.param(Error(500), False, id="a server that fails"),
        pytest.param(Error(200, "HttpClientError"), False, id="nobody"),
    ],
)
def test_silence_is_told_from_an_answer_that_proves_nothing(error: Error, is_answered: bool) -> None:
    answer = sort(error)

    assert isinstance(answer, Unknown)
    assert answer.answered is is_answered


@pytest.mark.parametrize(
    ("error", "seconds", "everybody"),
    [
        pytest.param(Error(429), 1.0, True, id="a rate, nothing said"),
        pytest.param(Error(429, headers={"Retry-After": "7"}), 7.0, True, id="a rate"),
        pytest.param(Error(429, headers={"retry-after": "0"}), 0.1, True, id="at once"),
        pytest.param(Error(429, headers={"retry-after": "0.05"}), 0.1, True, id="nearly at once"),
        pytest.param(Error(429, headers={"retry-after": "90000"}), DAY, True, id="more than a day"),
        pytest.param(Error(429, headers={"retry-after": "soon"}), 1.0, True, id="no number"),
        pytest.param(Error(429, headers={"retry-after": "-5"}), 1.0, True, id="in the past"),
        pytest.param(Error(429, headers={"ratelimit-reset": "3"}), 3.0, True, id="the end of the window"),
        pytest.param(Error(429, headers={"retry-after": "2", "ratelimit-reset": "3"}), 2.0, True, id="of_user"),
        pytest.param(Error(409), 5.0, False, id="this batch alone"),
        pytest.param(Error(409, headers={"retry-after": "2"}), 2.0, False, id="this batch alone, for so long"),
        pytest.param(Error(429, "daily_quota_exceeded"), HOUR, True, id="the day's quota"),
        pytest.param(
            Error(429, "daily_quota_exceeded", headers={"retry-after": "1"}), HOUR, True, id="at least an hour"
        ),
        pytest.param(
            Error(429, "daily_quota_exceeded", headers={"retry-after": "7200"}), 7_200.0, True, id="for longer"
        ),
        pytest.param(Error(429, "monthly_quota_exceeded"), 6 * HOUR, True, id="the month's quota"),
        pytest.param(
            Error(429, "monthly_quota_exceeded", headers={"retry-after": "1"}), 6 * HOUR, True, id="at least six hours"
        ),
        pytest.param(
            Error(429, "monthly_quota_exceeded", headers={"retry-after": "28800"}), 8 * HOUR, True, id="eight hours"
        ),
    ],
)
def test_who_is_throttled_waits_for_as_long_as_is_said_within_bounds(
    error: Error, seconds: float, everybody: bool
) -> None:
    answer = sort(error)

    assert isinstance(answer, Throttled)
    assert (answer.after, answer.everybody) == (seconds, everybody)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([{"id": "a"}, {"id": "b"}], Accepted(("a", "b")), id="an id for each"),
        pytest.param([{"id": "a"}], "1 ids for 2", id="one too few"),
        pytest.param([{"id": "a"}, {"id": "b"}, {"id": "c"}], "3 ids for 2", id="one too many"),
        pytest.param([{"id": "a"}, {"id": "a"}], "2 ids for 2", id="the same twice"),
        pytest.param([{"id": "a"}, {"id": ""}], "1 ids for 2", id="an empty one"),
        pytest.param([{"id": "a"}, {"id": 7}], "1 ids for 2", id="a number"),
        pytest.param([{"id": "a"}, "b"], "1 ids for 2", id="no object"),
        pytest.param([], "0 ids for 2", id="none"),
        pytest.param(None, "0 ids for 2", id="no list"),
    ],
)
def test_a_batch_is_accepted_with_an_id_for_each_email(rows: object, expected: Answer | str) -> None:
    answer = accepted({"data": rows}, 2)

    if isinstance(expected, str):
        assert isinstance(answer, Unknown)
        assert expected in answer.reason
        # Who names none may not have been Resend.
        assert answer.answered is not expected.startswith("0")
    else:
        assert answer == expected


@pytest.mark.parametrize(
    ("status", "is_refused"),
    [(399, False), (400, True), (422, True), (498, True), (499, False), (408, False), (500, False), ("422", False)],
)
def test_an_answer_that_refuses_says_that_nothing_was_accepted(status: object, is_refused: bool) -> None:
    assert refuses(status) is is_refused


@pytest.mark.parametrize(("status", "ends"), [(400, True), (422, True), (409, False), (429, False), (401, False)])
def test_a_key_ends_where_the_emails_themselves_are_refused(status: int, ends: bool) -> None:
    assert ends_a_key(status) is ends


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        pytest.param({}, None, id="nothing said"),
        pytest.param({"RateLimit-Limit": "2"}, RateLimit(2.0, None, 1.0), id="so many a second"),
        pytest.param({"ratelimit-policy": "10;w=5"}, RateLimit(2.0, None, 1.0), id="a policy"),
        pytest.param(
            {"ratelimit-policy": " 10 ; w=5", "ratelimit-limit": "9"}, RateLimit(2.0, None, 1.0), id="of_user"
        ),
        pytest.param({"ratelimit-policy": "10;w=0"}, None, id="a window of nothing"),
        pytest.param({"ratelimit-limit": "0"}, None, id="no limit"),
        pytest.param({"ratelimit-limit": "many"}, None, id="no number"),
        pytest.param(
            {"ratelimit-limit": "2", "ratelimit-remaining": "0", "ratelimit-reset": "0.5"},
            RateLimit(2.0, 0, 0.5),
            id="none left for half a second",
        ),
    ],
)
def test_the_limit_of_an_answer_is_read_where_it_says_one(headers: dict[str, str], limit: RateLimit | None) -> None:
    assert rate_limit(headers) == limit


def test_a_reason_is_one_line_of_300_characters_without_an_address() -> None:
    assert shown("no\n user  ada@example.com") == "no user <address>"
    assert shown("x" * 301) == "x" * 300
