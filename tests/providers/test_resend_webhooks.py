"""What Resend posts is read whatever is in it, and only if Resend signed it a moment ago."""

import random
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from resend_events import EXTRA, OTHER_SECRET, SECRET, TYPES, event, posted, sign

from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.providers.feedback import NotGenuine, Report
from skene_dagster.delivery.providers.resend import check
from skene_dagster.delivery.providers.resend.webhooks import ResendReceiver
from skene_dagster.errors import SettingsError
from skene_dagster.store.tables import webhooks

NOW = datetime(2026, 3, 2, 10)
AT = NOW - timedelta(hours=1)
SEND = "5" * 32


def read(told: object, event_id: str = "msg_1", headers: Mapping[str, str] | None = None) -> Report:
    body, signed = posted(told, event_id)
    return ResendReceiver(SECRET).read(body, signed if headers is None else headers)


KINDS = {
    "email.sent": "sent",
    "email.scheduled": "queued",
    "email.delivered": "delivered",
    "email.delivery_delayed": "delayed",
    "email.bounced": "bounced",
    "email.complained": "complained",
    "email.opened": "opened",
    "email.clicked": "clicked",
    "email.failed": "failed",
    "email.suppressed": "rejected",
    "suppression.added": "listed",
}


@pytest.mark.parametrize("type_", TYPES)
def test_each_type_of_the_sdk_is_known(type_: str) -> None:
    assert read(event(type_, AT)).kind == KINDS.get(type_, "other")


@pytest.mark.parametrize("type_", ["email.read", "mailbox.full", "", 7, None, "x" * 500, "é\n"])
def test_a_type_that_is_not_known_is_no_error(type_: object) -> None:
    found = read({"type": type_, "created_at": "2026-03-02T09:00:00Z", "data": {}})

    assert found.kind == "unknown"
    assert len(found.type) <= 64


def test_an_event_says_what_happened_to_which_email_and_when() -> None:
    tags = {"send": SEND, "origin": f"{'a' * 32}-{'b' * 32}", "loop": "retention"}

    found = read(event("email.bounced", AT, to="Ada <Ada@Exämple.com>", email_id="an-id", tags=tags))

    assert found == Report(
        "msg_1",
        "email.bounced",
        "bounced",
        AT,
        provider_id="an-id",
        send_id=SEND,
        origin=f"{'a' * 32}-{'b' * 32}",
        bounce_type="Permanent",
        bounce_sub_type="General",
        status_codes="5.1.1",
        address="Ada@xn--exmple-cua.com",
        domain="xn--exmple-cua.com",
    )


def test_a_link_is_kept_without_what_may_name_somebody() -> None:
    assert read(event("email.clicked", AT)).link == "https://example.com/start"


@pytest.mark.parametrize(
    "type_", [one for one in TYPES if KINDS.get(one) not in {"bounced", "rejected", "complained", "listed"}]
)
def test_an_address_is_kept_only_where_something_follows_for_it(type_: str) -> None:
    assert read(event(type_, AT)).address is None


@pytest.mark.parametrize("to", [["a@example.com", "b@example.com"], [], [7], "no address", {"a": 1}])
def test_of_several_recipients_none_is_named(to: object) -> None:
    assert read(event("email.bounced", AT, to=to)).address is None


@pytest.mark.parametrize(
    ("bounce", "codes"),
    [
        pytest.param({"diagnosticCode": "550 5.7.1 no"}, "5.7.1", id="a text"),
        pytest.param({"diagnosticCode": ["550-5.1.1 a", "550 5.7.26 b 5.1.1"]}, "5.1.1 5.7.26", id="a list"),
        pytest.param({"diagnosticCode": ["550 no"], "message": "552 5.3.4 too large"}, "5.3.4", id="the message"),
        pytest.param({"diagnosticCode": ["5.1.1"], "message": "5.7.1"}, "5.1.1", id="the message only without others"),
        pytest.param({"diagnosticCode": ["from 2.5.7.1 and 5.7.1.2"]}, "", id="an IP address"),
        pytest.param({"diagnosticCode": [f"5.1.{n}" for n in range(999)]}, None, id="very many"),
        pytest.param({"diagnosticCode": [7, None, {}]}, "", id="no texts"),
        pytest.param({"diagnosticCode": "5.1.1" * 100_000}, None, id="a very long one"),
    ],
)
def test_status_codes_are_those_of_the_recipients_server(bounce: Mapping[str, object], codes: str | None) -> None:
    found = read(event("email.bounced", AT, bounce=bounce)).status_codes

    assert len(found) <= 64
    assert found == codes or codes is None


@pytest.mark.parametrize(
    ("created_at", "at"),
    [
        pytest.param("2026-03-02T09:00:00.123Z", AT.replace(microsecond=123_000), id="ISO"),
        pytest.param("2026-03-02 09:00:00.123456+00", AT.replace(microsecond=123_456), id="as its lists write it"),
        pytest.param("2026-03-02T11:00:00+02:00", AT, id="in another zone"),
    ],
)
def test_the_moment_is_the_events_own_not_the_emails(created_at: str, at: datetime) -> None:
    assert read(event("email.opened", AT) | {"created_at": created_at}).at == at


@pytest.mark.parametrize("created_at", ["yesterday", "", None, 7, "0001-01-01T00:00:00+14:00", "9999-99-99", {}])
def test_without_a_moment_it_is_when_it_was_posted(created_at: object) -> None:
    body, headers = posted(event("email.opened", AT) | {"created_at": created_at}, at=time.time() - 100)

    found = ResendReceiver(SECRET).read(body, headers)

    assert abs(found.at.timestamp() - (datetime.utcnow().timestamp() - 100)) < 60  # noqa: DTZ003


TOLD = event("email.opened", AT)


@pytest.mark.parametrize("seconds", [-301, -3600, 301, 10**9, -(10**9)])
def test_what_was_posted_long_ago_is_refused(seconds: int) -> None:
    body, headers = posted(TOLD, at=time.time() + seconds + (1 if seconds > 0 else -1))

    with pytest.raises(NotGenuine):
        ResendReceiver(SECRET).read(body, headers)


@pytest.mark.parametrize("seconds", [-290, 290])
def test_clocks_may_differ_by_some_minutes(seconds: int) -> None:
    body, headers = posted(TOLD, at=time.time() + seconds)

    assert ResendReceiver(SECRET).read(body, headers).kind == "opened"


def test_while_a_secret_is_replaced_one_good_signature_of_two_is_enough() -> None:
    body, headers = posted(TOLD)
    _, other = posted(TOLD, secret=OTHER_SECRET)
    both = {**headers, "svix-signature": f"{other['svix-signature']} {headers['svix-signature']}"}

    assert ResendReceiver(SECRET).read(body, both).kind == "opened"


def hostile() -> dict[str, dict[str, str]]:
    """Headers of this moment, each wrong in its way."""
    body, good = posted(TOLD)
    signature = good["svix-signature"]
    changed: dict[str, dict[str, str | None]] = {
        "no headers": dict.fromkeys(good),
        "no id": {"svix-id": None},
        "an empty id": {"svix-id": ""},
        "a long id": {"svix-id": "x" * 129},
        "an id with spaces": {"svix-id": "msg 1"},
        "an id of other letters": {"svix-id": "msg_é"},
        "another id": {"svix-id": "msg_2"},
        "no timestamp": {"svix-timestamp": None},
        "a word for a timestamp": {"svix-timestamp": "now"},
        "a huge timestamp": {"svix-timestamp": "9" * 5000},
        "infinity": {"svix-timestamp": "inf"},
        "another timestamp": {"svix-timestamp": str(int(good["svix-timestamp"]) + 1)},
        "no signature": {"svix-signature": None},
        "an empty signature": {"svix-signature": ""},
        "a signature without a comma": {"svix-signature": signature[3:]},
        "no base64": {"svix-signature": "v1,!!!"},
        "other letters": {"svix-signature": "v1,ééé"},
        "half a pair": {"svix-signature": "v1,\udcff"},
        "ten thousand": {"svix-signature": "v1,x " * 10_000},
        "the other secret's": {"svix-signature": posted(TOLD, secret=OTHER_SECRET)[1]["svix-signature"]},
        "an empty secret's": {"svix-signature": f"v1,{sign('whsec_', good['svix-id'], good['svix-timestamp'], body)}"},
    }
    return {
        name: {header: text for header, text in {**good, **change}.items() if text is not None}
        for name, change in changed.items()
    }


@pytest.mark.parametrize("name", hostile())
def test_hostile_headers_are_refused_in_a_sentence(name: str) -> None:
    headers = hostile()[name]

    with pytest.raises(NotGenuine, match=r"^The .*\.$"):
        read(TOLD, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"\xff\xfe{\x00}\x00", id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, id="objects in objects"),
        pytest.param(b"9" * 5_000, id="a number of thousands of digits"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="a text"),
    ],
)
def test_a_signed_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(NotGenuine, match=r"^The .*\.$"):
        read(body)


def test_a_body_that_was_changed_on_the_way_is_refused() -> None:
    body, headers = posted(TOLD)

    with pytest.raises(NotGenuine):
        ResendReceiver(SECRET).read(body.replace(b"opened", b"bounced"), headers)


def test_whatever_an_event_has_in_whatever_place_it_is_read_and_fits_the_inbox() -> None:
    noise = random.Random(7)
    values: list[object] = [
        None, 0, 1.5, True, "", "x" * 3_000, "é\u202e\x00\n", "\ud800", "<a@b.co>", "a@b.co", "https://[", "5.7.1",
        "2026-03-02", "9999-12-31T23:59:59-14:00", [], [[]], ["x"], {}, {"type": "Permanent"}, 10**30, float("nan"),
    ]  # fmt: skip

    def spoiled(value: object) -> object:
        if noise.random() < 0.3:
            return noise.choice(values)
        if isinstance(value, dict):
            return {key: spoiled(one) for key, one in value.items()}
        return [spoiled(one) for one in value] if isinstance(value, list) else value

    for number in range(3_000):
        told = spoiled(event(noise.choice([*TYPES, *EXTRA]), AT, tags={"send": SEND, "origin": "a-b"}))
        if not isinstance(told, dict):
            continue
        found = read(told)
        for column in webhooks.columns:
            value = getattr(found, column.name, None)
            if isinstance(value, str):
                assert value.isascii(), (number, column.name, value)
                assert value.isprintable(), (number, column.name, value)
                assert len(value) <= column.type.length  # type: ignore[attr-defined]
        assert datetime(2020, 1, 1) <= found.at < datetime(9999, 12, 31)


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_",
        "password",
        "re_123",
        "whsec_!!!!",
        "whsec_YWJj",
        "whsec_ YWJjYWJjYWJjYWJjYWJjYWJj",
        "WHSEC_YWJjYWJjYWJjYWJjYWJj",
    ],
)
def test_what_cannot_be_a_signing_secret_is_refused_without_being_quoted(secret: str) -> None:
    with pytest.raises(SettingsError, match="RESEND_WEBHOOK_SECRET is not the signing secret") as refused:
        check({"RESEND_WEBHOOK_SECRET": secret})

    assert secret not in str(refused.value).replace("whsec_.", "")
    assert registry.named("resend").feedback is not None
