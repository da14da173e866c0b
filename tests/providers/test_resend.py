"""Each answer that Resend gives, or its CDN, is sorted into one of five; and nothing but the key goes along."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import resend
from contract import ids_of, message
from resend_server import JSON, ResendServer, Scripted, refusal, resend_server

from skene_dagster.delivery.providers.base import Accepted, Answer, Fatal, RateLimit, Refused, Throttled, Unknown
from skene_dagster.delivery.providers.json_emails import freeze
from skene_dagster.delivery.providers.resend.provider import ResendProvider
from skene_dagster.errors import SettingsError

KEY = "re_test_123"


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with resend_server() as running:
        yield running


@pytest.fixture
def provider(server: ResendServer) -> Iterator[ResendProvider]:
    opened = ResendProvider(KEY, server.url, timeout=(2.0, 2.0))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(refusal(400, "validation_error"), Refused, id="400 validation_error"),
        pytest.param(refusal(400, "invalid_idempotency_key"), Fatal, id="400 invalid_idempotency_key"),
        pytest.param(refusal(401, "missing_api_key"), Fatal, id="401 missing_api_key"),
        pytest.param(refusal(401, "restricted_api_key"), Fatal, id="401 restricted_api_key"),
        pytest.param(refusal(403, "invalid_api_key"), Fatal, id="403 invalid_api_key"),
        pytest.param(refusal(403, "suspended_api_key"), Fatal, id="403 suspended_api_key"),
        pytest.param(refusal(403, "invalid_permission"), Fatal, id="403 invalid_permission"),
        pytest.param(refusal(403, "validation_error"), Fatal, id="403 sender domain not verified"),
        pytest.param(Scripted(403, b"error code: 1010", {"Content-Type": "text/html"}), Fatal, id="403 by the CDN"),
        pytest.param(refusal(404, "not_found"), Fatal, id="404 not_found"),
        pytest.param(refusal(405, "method_not_allowed"), Fatal, id="405 method_not_allowed"),
        pytest.param(refusal(409, "concurrent_idempotent_requests"), Throttled, id="409 still running"),
        pytest.param(refusal(409, "resource_locked"), Throttled, id="409 resource_locked"),
        pytest.param(refusal(409, "invalid_idempotent_request"), Unknown, id="409 key used for another payload"),
        pytest.param(refusal(409, "something_new"), Throttled, id="409 of a name that is not known"),
        pytest.param(Scripted(409, b"<html>", {"Content-Type": "text/html"}), Unknown, id="409 by a proxy"),
        pytest.param(refusal(413, "payload_too_large"), Refused, id="413"),
        pytest.param(Scripted(413, b"<html>", {"Content-Type": "text/html"}), Refused, id="413 by a proxy"),
        pytest.param(refusal(422, "missing_required_field"), Refused, id="422 missing_required_field"),
        pytest.param(refusal(422, "missing_required_fields"), Refused, id="422 missing_required_fields"),
        pytest.param(refusal(422, "missing_required_parameter"), Refused, id="422 missing_required_parameter"),
        pytest.param(refusal(422, "invalid_parameter"), Refused, id="422 invalid_parameter"),
        pytest.param(refusal(422, "invalid_attachment"), Refused, id="422 invalid_attachment"),
        pytest.param(refusal(422, "validation_error"), Refused, id="422 validation_error"),
        pytest.param(refusal(422, "invalid_from_address"), Fatal, id="422 invalid_from_address"),
        pytest.param(refusal(429, "rate_limit_exceeded"), Throttled, id="429 rate_limit_exceeded"),
        pytest.param(refusal(429, "daily_quota_exceeded"), Throttled, id="429 daily_quota_exceeded"),
        pytest.param(refusal(429, "monthly_quota_exceeded"), Throttled, id="429 monthly_quota_exceeded"),
        pytest.param(Scripted(429, b"slow down", {"Content-Type": "text/plain"}), Throttled, id="429 by the CDN"),
        pytest.param(refusal(451, "security_error"), Fatal, id="451 security_error"),
        pytest.param(refusal(500, "application_error"), Unknown, id="500 application_error"),
        pytest.param(refusal(500, "internal_server_error"), Unknown, id="500 internal_server_error"),
        pytest.param(refusal(503, "service_unavailable"), Unknown, id="503 service_unavailable"),
        pytest.param(Scripted(502, b"<html>", {"Content-Type": "text/html"}), Unknown, id="502 with HTML"),
        pytest.param(Scripted(408, b"", {"Content-Type": "text/html"}), Unknown, id="408 by a proxy"),
        pytest.param(Scripted(400, b"<html>", {"Content-Type": "text/html"}), Unknown, id="400 by a proxy"),
        pytest.param(Scripted(307, b"", {"Location": "/emails/batch"}), Unknown, id="a redirect"),
        pytest.param(Scripted(None), Unknown, id="the connection is closed"),
        pytest.param(Scripted(None, late=10), Unknown, id="no answer in time"),
        pytest.param(Scripted(200, b"OK", {"Content-Type": "text/html"}), Unknown, id="200 that is not JSON"),
        pytest.param(Scripted(200, b"{"), Unknown, id="200 with half an answer"),
        pytest.param(Scripted(200, b""), Unknown, id="200 without a body"),
        pytest.param(Scripted(200, b"null"), Unknown, id="200 null"),
        pytest.param(Scripted(200, b"[]"), Unknown, id="200 with a list"),
        pytest.param(Scripted(200, b"{}"), Unknown, id="200 without data"),
        pytest.param(Scripted(200, b'{"data": [{"id": "a"}]}'), Unknown, id="200 with an id too few"),
        pytest.param(Scripted(200, b'{"data": [{"id": "a"}, {"id": "a"}]}'), Unknown, id="200 with one id twice"),
        pytest.param(Scripted(200, b'{"data": [{"id": "a"}, {"id": 7}]}'), Unknown, id="200 with a number for an id"),
        pytest.param(Scripted(200, b'{"data": {"id": "a"}}'), Unknown, id="200 with another shape"),
        pytest.param(Scripted(200, b'{"statusCode": "x"}'), Unknown, id="200 with nonsense"),
        pytest.param(Scripted(200, b"[" * 100_000), Unknown, id="200 that breaks the parser"),
    ],
)
def test_each_answer_is_sorted(server: ResendServer, answer: Scripted, expected: type[Answer]) -> None:
    timeout = 0.2 if answer.late else 5.0
    provider = ResendProvider(KEY, server.url, timeout=(timeout, timeout))
    server.script = [answer]

    got = provider.send_batch(freeze([message(1), message(2)]), "key-1")

    provider.close()
    assert isinstance(got, expected), got
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "answered"),
    [
        pytest.param(refusal(409, "invalid_idempotent_request"), True, id="409 key used for another payload"),
        pytest.param(Scripted(200, b'{"data": [{"id": "a"}]}'), True, id="200 with an id too few"),
        pytest.param(Scripted(200, b"{}"), False, id="200 of something else"),
        pytest.param(Scripted(400, b"<html>", {"Content-Type": "text/html"}), False, id="400 by a proxy"),
        pytest.param(refusal(500, "internal_server_error"), False, id="500"),
        pytest.param(Scripted(None), False, id="no answer"),
    ],
)
def test_what_the_provider_says_and_proves_nothing_is_told_from_silence(
    server: ResendServer, answer: Scripted, answered: bool
) -> None:
    provider = ResendProvider(KEY, server.url, timeout=(5.0, 5.0))
    server.script = [answer]

    got = provider.send_batch(freeze([message(1), message(2)]), "key-1")

    provider.close()
    assert isinstance(got, Unknown)
    assert got.answered == answered


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        pytest.param(refusal(429, "rate_limit_exceeded", retry_after="3"), 3.0, id="as told"),
        pytest.param(refusal(429, "rate_limit_exceeded", ratelimit_reset="2"), 2.0, id="when the limit is reset"),
        pytest.param(refusal(429, "rate_limit_exceeded"), 1.0, id="a second when nothing is told"),
        pytest.param(refusal(429, "rate_limit_exceeded", retry_after="0"), 0.1, id="never at once"),
        pytest.param(refusal(429, "rate_limit_exceeded", retry_after="-5"), 1.0, id="not into the past"),
        pytest.param(refusal(429, "rate_limit_exceeded", retry_after="999999999"), 86_400.0, id="a day at most"),
        pytest.param(refusal(409, "concurrent_idempotent_requests"), 5.0, id="while the first is running"),
        pytest.param(refusal(429, "daily_quota_exceeded", retry_after="1"), 3_600.0, id="an hour for a day's quota"),
        pytest.param(refusal(429, "monthly_quota_exceeded"), 21_600.0, id="six hours for a month's quota"),
    ],
)
def test_a_throttled_batch_is_told_how_long_to_wait(
    provider: ResendProvider, server: ResendServer, answer: Scripted, seconds: float
) -> None:
    server.script = [answer]

    got = provider.send_batch(freeze([message(1)]), "key-1")

    assert isinstance(got, Throttled)
    assert got.after == seconds


def test_a_reason_carries_no_address_and_no_second_line(provider: ResendProvider, server: ResendServer) -> None:
    server.script = [refusal(422, "validation_error", "Invalid `to`:\n anna.b+c@example.com is none")]

    got = provider.send_batch(freeze([message(1)]), "key-1")

    assert got == Refused("422 validation_error: Invalid `to`: <address> is none")


def test_the_request_is_the_one_that_resend_documents(provider: ResendProvider, server: ResendServer) -> None:
    provider.send_batch(freeze([message(1)]), "key-1")

    [request] = server.requests
    assert request.path == "/emails/batch"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Idempotency-Key"] == "key-1"
    assert request.headers["x-batch-validation"] == "strict"
    assert request.headers["User-Agent"].startswith("resend-python")


def test_one_connection_carries_many_batches(provider: ResendProvider, server: ResendServer) -> None:
    for number in range(5):
        provider.send_batch(freeze([message(number)]), f"key-{number}")

    assert len({request.client for request in server.requests}) == 1


def test_a_batch_goes_through_after_the_server_closed_the_connection(
    provider: ResendProvider, server: ResendServer
) -> None:
    server.script = [Scripted(None)]
    assert isinstance(provider.send_batch(freeze([message(1)]), "key-1"), Unknown)

    assert isinstance(provider.send_batch(freeze([message(1)]), "key-1"), Accepted)


def test_nothing_listens_is_no_answer() -> None:
    with resend_server() as gone:
        url = gone.url
    provider = ResendProvider(KEY, url, timeout=(1.0, 1.0))

    got = provider.send_batch(freeze([message(1)]), "key-1")

    provider.close()
    assert isinstance(got, Unknown)
    assert got.reason.startswith("no answer: ")


def test_neither_netrc_nor_proxies_touch_the_key(
    provider: ResendProvider, server: ResendServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n", encoding="ascii")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    ids_of(provider.send_batch(freeze([message(1)]), "key-1"))

    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_two_keys_in_two_threads_do_not_mix(provider: ResendProvider, server: ResendServer) -> None:
    other = ResendProvider("re_other", server.url)
    thread = threading.Thread(target=other.send_batch, args=(freeze([message(2)]), "key-2"))

    with provider._as_the_sdk_wants_it():
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        assert resend.api_key == KEY
    thread.join()

    other.close()
    assert [request.headers["Authorization"] for request in server.requests] == ["Bearer re_other"]


def test_the_sdk_keeps_no_key_of_ours(provider: ResendProvider) -> None:
    before = resend.api_key, resend.api_url, resend.default_http_client

    provider.send_batch(freeze([message(1)]), "key-1")

    assert (resend.api_key, resend.api_url, resend.default_http_client) == before


@pytest.mark.parametrize("key", ["", "re_1\n", "re 1", "ré_1"], ids=["empty", "a line break", "a space", "not ASCII"])
def test_a_key_that_could_never_work_is_refused_at_once(key: str) -> None:
    with pytest.raises(SettingsError, match="RESEND_API_KEY"):
        ResendProvider(key)


@pytest.mark.parametrize("url", ["http://api.resend.com", "ftp://127.0.0.1", "api.resend.com", ""])
def test_the_key_goes_nowhere_without_tls(url: str) -> None:
    with pytest.raises(SettingsError, match="https"):
        ResendProvider(KEY, url)


def test_answers_come_back_bare(server: ResendServer, provider: ResendProvider) -> None:
    server.script = [Scripted(200, b'{"data": [{"id": "a"}]}', {**JSON, "X-Secret": "1"})]

    assert provider.send_batch(freeze([message(1)]), "key-1") == Accepted(("a",))


def test_the_frozen_bytes_go_over_the_wire_as_they_are_on_every_try(
    provider: ResendProvider, server: ResendServer
) -> None:
    batch = freeze([message(1, subject="größer"), message(2)])
    server.script.append(Scripted(500))

    for _ in range(2):
        provider.send_batch(batch, "key-1")

    assert [request.raw for request in server.requests] == [batch.body, batch.body]


@pytest.mark.parametrize("script", [[], [refusal(422, "validation_error")]], ids=["accepted", "refused"])
def test_each_answer_tells_the_rate_limit(
    script: list[Scripted], provider: ResendProvider, server: ResendServer
) -> None:
    server.per_second, server.script = 5, script
    assert provider.rate_limit is None

    provider.send_batch(freeze([message(1)]), "key-1")

    assert provider.rate_limit == RateLimit(5.0, 4, 1.0)


def test_the_account_is_the_same_for_the_same_key_and_does_not_give_it_away(provider: ResendProvider) -> None:
    assert provider.account == ResendProvider(KEY).account != ResendProvider("re_other").account
    assert KEY not in provider.account


def test_only_what_holds_for_everybody_is_said_to(provider: ResendProvider, server: ResendServer) -> None:
    server.script += [refusal(429, "rate_limit_exceeded"), refusal(409, "concurrent_idempotent_requests")]

    answers = [provider.send_batch(freeze([message(1)]), "key-1") for _ in range(2)]

    assert [answer.everybody for answer in answers if isinstance(answer, Throttled)] == [True, False]


@pytest.mark.parametrize("told_by", ["a proxy", "a netrc"])
def test_nothing_that_lies_about_on_the_machine_sees_or_replaces_the_key(
    server: ResendServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told_by: str
) -> None:
    if told_by == "a proxy":
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
    else:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n", encoding="utf-8")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    provider = ResendProvider(KEY, server.url, timeout=(2.0, 2.0))

    answer = provider.send_batch(freeze([message(1)]), "key-1")
    provider.close()

    assert isinstance(answer, Accepted)
    assert server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
