"""What receivers write at the top of a message, as they write it, and as nobody should."""

import pytest

from skene_dagster.delivery.received.results import Result, trusted

GMAIL = (
    "mx.google.com; dkim=pass header.i=@example.com header.s=resend header.b=AbC; dkim=pass header.i=@amazonses.com "
    "header.s=x; spf=pass (google.com: domain of bounce@send.example.com designates 192.0.2.1 as permitted sender) "
    "smtp.mailfrom=bounce@send.example.com; dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=example.com"
)
EXCHANGE = (
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=send.example.com; dkim=pass (signature was verified) "
    "header.d=example.com;dmarc=pass action=none header.from=example.com;compauth=pass reason=100"
)


def said(*headers: str) -> list[tuple[str, str, str]]:
    found = trusted(headers)
    assert found is not None
    return [(one.method, one.result, domain(one)) for one in found.results]


def domain(one: Result) -> str:
    return one.domain("smtp.mailfrom", "header.d", "header.i", "header.from")


def test_gmail_is_understood() -> None:
    assert said(GMAIL) == [
        ("dkim", "pass", "example.com"),
        ("dkim", "pass", "amazonses.com"),
        ("spf", "pass", "send.example.com"),
        ("dmarc", "pass", "example.com"),
    ]
    found = trusted([GMAIL])
    assert found is not None
    assert found.receiver == "mx.google.com"


def test_exchange_which_does_not_name_itself_is_understood() -> None:
    assert said(EXCHANGE)[:3] == [
        ("spf", "pass", "send.example.com"),
        ("dkim", "pass", "example.com"),
        ("dmarc", "pass", "example.com"),
    ]


def test_only_the_receiver_whose_header_is_topmost_is_believed() -> None:
    forged = "mx.forged.example; dkim=pass header.d=example.com"

    assert said("mx.example.net; spf=fail smtp.mailfrom=x.org", forged, "MX.example.net 1; dkim=none") == [
        ("spf", "fail", "x.org"),
        ("dkim", "none", ""),
    ]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("mx; none", []),
        ("mx", []),
        ("", []),
        (";;;", []),
        ('mx; dkim/1 = pass reason="a; spf=fail" header.d=example.com', [("dkim", "pass", "example.com")]),
        ('mx; spf=pass smtp.mailfrom="a b"@example.com', [("spf", "pass", "example.com")]),
        ("mx; spf=pass (a (nested; dkim=pass) \\) comment) smtp.mailfrom=<a@example.com>", None),
        ("mx; spf=pass ((((", [("spf", "pass", "")]),
        ("mx; spf=pass )))) smtp.mailfrom=example.com", [("spf", "pass", "example.com")]),
        ("mx; =pass; dkim; dkim=; 1=2", []),
        ("mx; dkim=\x00\xff", []),
        ("mx; " + "(" * 100_000, []),
        ("mx; " + "dkim=pass header.d=" + "x" * 100_000, [("dkim", "pass", "x" * 253)]),
    ],
)
def test_whatever_a_stranger_writes_is_read_or_passed_over(
    header: str, expected: list[tuple[str, str, str]] | None
) -> None:
    assert said(header) == ([("spf", "pass", "example.com")] if expected is None else expected)


def test_where_nobody_wrote_any_there_are_none() -> None:
    assert trusted([]) is None
