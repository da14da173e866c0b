"""What a domain asks receivers to do with email that only pretends to come from it: its DMARC record (RFC 7489)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from skene_dagster.delivery.received.dns_records import DnsUnreachable, texts
from skene_dagster.delivery.received.domains import ascii_domain, organizational
from skene_dagster.delivery.received.findings import Finding

_POLICIES = ("none", "quarantine", "reject")
_VERSION = re.compile(r"v\s*=\s*DMARC1\s*(;|$)")
_REPORT = re.compile(r"mailto:[^\s@,;]+@[^\s@,;!]+(![0-9]+[kmgt]?)?", re.IGNORECASE)


class Malformed(Exception):
    """There is a record that receivers cannot use; the argument says why, in a sentence without its end."""


@dataclass(frozen=True)
class Policy:
    """What a record says."""

    policy: str
    """`none`, `quarantine` or `reject`."""
    strict_dkim: bool
    strict_spf: bool
    reported: bool
    """Whether somebody is told what receivers saw."""


@dataclass(frozen=True)
class Published:
    """A policy, and the domain at which it stands."""

    domain: str
    policy: Policy


def published(domain: str) -> Published | None:
    """Find the policy that holds for a domain: its own, or that of its organization; None if there is none.

    Raises:
        Malformed: a record stands there that receivers cannot use.
        DnsUnreachable: DNS did not answer.
    """
    domain = ascii_domain(domain)
    for place in dict.fromkeys((domain, organizational(domain))):
        found = [text.strip() for text in texts(f"_dmarc.{place}") if "dmarc" in text.lower()]
        usable = [text for text in found if _VERSION.match(text)]
        if len(usable) > 1:
            raise Malformed(f"_dmarc.{place} has {len(usable)} DMARC records, of which receivers use none")
        if found and not usable:
            raise Malformed(f"the record at _dmarc.{place} does not begin with v=DMARC1;")
        if usable:
            try:
                return Published(place, parse(usable[0], is_subdomain=place != domain))
            except ValueError as bad:
                raise Malformed(f"the record at _dmarc.{place} is wrong: {bad}") from None
    return None


def parse(record: str, *, is_subdomain: bool = False) -> Policy:
    """Read a record that begins with its version.

    Args:
        is_subdomain: whether it is read for a subdomain of the one at which it stands.

    Raises:
        ValueError: it is wrong; the argument says why.
    """
    tags = _tags(record)
    if "p" not in tags:
        raise ValueError("it has no p=")
    for name in ("p", "sp"):
        if name in tags and tags[name].lower() not in _POLICIES:
            raise ValueError(f"{_shown(name, tags)} is none of {', '.join(_POLICIES)}")
    for name in ("adkim", "aspf"):
        if tags.get(name, "r").lower() not in ("r", "s"):
            raise ValueError(f"{_shown(name, tags)} is neither r nor s")
    if not re.fullmatch(r"[0-9]{1,2}|100", tags.get("pct", "100")):
        raise ValueError(f"{_shown('pct', tags)} is not a number from 0 to 100")
    for name in ("rua", "ruf"):
        addresses = [one.strip() for one in tags[name].split(",")] if name in tags else []
        if not all(_REPORT.fullmatch(one) for one in addresses):
            raise ValueError(f"{_shown(name, tags)} is not mailto: and an address")
    policy = tags.get("sp", tags["p"]) if is_subdomain else tags["p"]
    strict_dkim, strict_spf = (tags.get(name, "r").lower() == "s" for name in ("adkim", "aspf"))
    return Policy(policy.lower(), strict_dkim, strict_spf, "rua" in tags)


def examine_domain(domain: str) -> Finding:
    """Say whether a domain that emails come from has a DMARC record that receivers can use."""
    try:
        found = published(domain)
    except DnsUnreachable as unreachable:
        return Finding("notice", f"The DMARC record of {domain} was not checked: {unreachable}.")
    except Malformed as bad:
        return Finding("notice", f"DMARC of {domain}: {bad}.", _to_publish(domain))
    if found is None:
        return Finding(
            "notice",
            f"{domain} has no DMARC record. Gmail, Yahoo and Outlook ask for one from whoever sends much.",
            _to_publish(domain),
        )
    where = "" if found.domain == ascii_domain(domain) else f", by the record of {found.domain}"
    told = "" if found.policy.reported else " It names nobody to report to (rua)."
    return Finding("ok", f"DMARC of {domain}: p={found.policy.policy}{where}.{told}")


def _to_publish(domain: str) -> str:
    place = organizational(domain)
    return f'Publish at _dmarc.{place} the text "v=DMARC1; p=none; rua=mailto:dmarc@{place}", with an address of yours.'


def _tags(record: str) -> Mapping[str, str]:
    tags: dict[str, str] = {}
    for part in filter(None, map(str.strip, record.split(";"))):
        name, equals, value = (text.strip() for text in part.partition("="))
        if not equals:
            raise ValueError(f"{part[:40]!r} is not a name and a value")
        if name.lower() in tags:
            raise ValueError(f"it has {name.lower()[:40]}= twice")
        tags[name.lower()] = value
    return tags


def _shown(name: str, tags: Mapping[str, str]) -> str:
    return repr(f"{name}={tags[name][:60]}")
