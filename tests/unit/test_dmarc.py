"""A domain's DMARC record, asked of a real DNS server: found, missing, wrong, or not to be had."""

import re

import dns.resolver as dns_resolver
import pytest
from dns_server import DnsServer

from skene_dagster.delivery.received import dns_records
from skene_dagster.delivery.received.dmarc import Malformed, examine_domain, parse, published
from skene_dagster.delivery.received.domains import are_aligned, organizational

NONE = "v=DMARC1; p=none"


@pytest.mark.parametrize(
    ("domain", "of"),
    [
        ("example.com", "example.com"),
        ("mail.eu.Example.COM.", "example.com"),
        ("mail.example.co.uk", "example.co.uk"),
        ("a.github.io", "a.github.io"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("mail.bücher.example", "xn--bcher-kva.example"),
        ("", ""),
        ("x" * 300 + ".ü", "x" * 300 + ".ü"),
    ],
)
def test_what_somebody_registered_is_the_organizational_domain(domain: str, of: str) -> None:
    assert organizational(domain) == of


@pytest.mark.parametrize(
    ("one", "other", "relaxed", "strict"),
    [
        ("example.com", "example.com", True, True),
        ("send.example.com", "example.com", True, False),
        ("a.example.com", "b.example.com", True, False),
        ("example.com", "example.org", False, False),
        ("one.co.uk", "other.co.uk", False, False),
        ("Bücher.example", "xn--bcher-kva.example", True, True),
        ("", "", False, False),
    ],
)
def test_domains_are_aligned_if_one_organization_has_them(one: str, other: str, relaxed: bool, strict: bool) -> None:
    assert (are_aligned(one, other, strict=False), are_aligned(one, other, strict=True)) == (relaxed, strict)


@pytest.mark.parametrize(
    "record",
    [
        NONE,
        "v=DMARC1;p=reject;",
        "v = DMARC1 ; p = Quarantine ; sp=none; adkim=s; aspf=r; pct=50; fo=1; new=tag",
        "v=DMARC1; p=none; rua=mailto:a@example.com!10m, mailto:b@example.org; ruf=mailto:c@example.com",
    ],
)
def test_a_record_that_receivers_can_use_is_read(record: str) -> None:
    assert parse(record).policy in {"none", "quarantine", "reject"}


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("v=DMARC1", "it has no p="),
        ("v=DMARC1; rua=mailto:a@example.com", "it has no p="),
        ("v=DMARC1; p=nothing", "'p=nothing' is none of none, quarantine, reject"),
        ("v=DMARC1; p=none; sp=x", "'sp=x' is none of"),
        ("v=DMARC1; p=none; p=reject", "it has p= twice"),
        ("v=DMARC1; p=none rua=mailto:a@example.com", "'p=none rua=mailto:a@example.com' is none of"),
        ("v=DMARC1; p=none; rua", "'rua' is not a name and a value"),
        ("v=DMARC1; p=none; rua=a@example.com", "'rua=a@example.com' is not mailto: and an address"),
        ("v=DMARC1; p=none; rua=", "'rua=' is not mailto:"),
        ("v=DMARC1; p=none; pct=200", "'pct=200' is not a number from 0 to 100"),
        ("v=DMARC1; p=none; adkim=relaxed", "'adkim=relaxed' is neither r nor s"),
    ],
)
def test_a_record_that_receivers_cannot_use_is_told_with_what_is_wrong(record: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse(record)


def test_the_record_of_the_organization_holds_for_its_subdomains(dns: DnsServer) -> None:
    dns.texts["_dmarc.example.com"] = ["v=DMARC1; p=reject; sp=quarantine; aspf=s"]

    own, sub = published("example.com"), published("mail.Example.com")

    assert own is not None
    assert sub is not None
    assert (own.policy.policy, sub.policy.policy, sub.domain) == ("reject", "quarantine", "example.com")
    assert (sub.policy.strict_spf, sub.policy.strict_dkim) == (True, False)
    dns.texts["_dmarc.mail.example.com"] = [NONE]
    nearer = published("mail.example.com")
    assert nearer is not None
    assert (nearer.domain, nearer.policy.policy) == ("mail.example.com", "none")


def test_texts_that_have_nothing_to_do_with_it_are_passed_over(dns: DnsServer) -> None:
    dns.texts["_dmarc.example.com"] = ["v=spf1 -all", NONE]
    dns.texts["_dmarc.mail.example.com"] = ["v=spf1 -all"]

    found = published("mail.example.com")

    assert found is not None
    assert found.domain == "example.com"


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([NONE, "v=DMARC1; p=reject"], "has 2 DMARC records, of which receivers use none"),
        (["v=dmarc1; p=none"], "does not begin with v=DMARC1;"),
        (["p=none; v=DMARC1"], "does not begin with v=DMARC1;"),
        (["v=DMARC10; p=none"], "does not begin with v=DMARC1;"),
        (["v=DMARC1; p="], "is wrong: 'p=' is none of"),
    ],
)
def test_a_malformed_record_is_told(dns: DnsServer, texts: list[str], why: str) -> None:
    dns.texts["_dmarc.example.com"] = texts

    with pytest.raises(Malformed, match=r"_dmarc\.example\.com"):
        published("example.com")
    found = examine_domain("example.com")

    assert found.label == "notice"
    assert why in found.said
    assert 'Publish at _dmarc.example.com the text "v=DMARC1; p=none; rua=mailto:' in found.advice


def test_where_there_is_none_it_is_said_what_to_publish(dns: DnsServer) -> None:
    dns.texts = {"_dmarc.example.com": []}

    found = examine_domain("mail.example.com")

    assert (found.label, dns.asked) == ("notice", ["_dmarc.mail.example.com", "_dmarc.example.com"])
    assert "mail.example.com has no DMARC record." in found.said
    assert '_dmarc.example.com the text "v=DMARC1; p=none; rua=mailto:dmarc@example.com"' in found.advice


@pytest.mark.parametrize("trouble", ["silent", "servfail", "garbage"])
def test_where_dns_does_not_answer_nothing_is_claimed(
    dns: DnsServer, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(dns_records, "PATIENCE", 0.2)
    dns.trouble = trouble  # type: ignore[assignment]

    found = examine_domain("example.com")

    assert found.label == "notice"
    assert "was not checked: DNS did not answer about _dmarc.example.com" in found.said


def test_a_machine_without_name_servers_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_resolver, "default_resolver", dns_resolver.Resolver(configure=False))

    assert "was not checked: DNS did not answer" in examine_domain("example.com").said


@pytest.mark.usefixtures("dns")
@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".com", ".".join(["x" * 60] * 6), "", "\x00.com", "ü" * 80])
def test_what_is_no_name_has_no_texts(name: str) -> None:
    assert dns_records.texts(name) == []
