"""Whether receivers can tell that a message comes from whom it says: SPF, DKIM, DMARC, and their alignment."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from skene_dagster.delivery.received import dmarc
from skene_dagster.delivery.received.dmarc import Malformed, Policy
from skene_dagster.delivery.received.dns_records import DnsUnreachable
from skene_dagster.delivery.received.domains import are_aligned
from skene_dagster.delivery.received.findings import Finding
from skene_dagster.delivery.received.mail import Mail
from skene_dagster.delivery.received.results import Result, Results, trusted
from skene_dagster.delivery.received.signatures import MOST, Signature, signatures

_RELAXED = Policy("none", strict_dkim=False, strict_spf=False, reported=False)


def examine_sender(mail: Mail) -> Iterator[Finding]:
    """Say what the receiver found out, and what the signatures say themselves."""
    domain = mail.from_domain
    if len(mail.all_of("from")) > 1 or not domain:
        yield Finding("error", "From has no address, or there are two of it.", "Receivers refuse such an email.")
        return
    policy = _RELAXED
    with suppress(DnsUnreachable, Malformed):
        found = dmarc.published(domain)
        policy = found.policy if found is not None else _RELAXED
    said = trusted(mail.all_of("authentication-results"))
    if said is None:
        yield Finding(
            "notice",
            "No receiver wrote down what it found out (Authentication-Results).",
            "Save the message from the mailbox that it arrived in, not from the one that it was sent by.",
        )
    else:
        yield from _said(said, domain, policy)
    signed = signatures(mail.raw, len(mail.all_of("dkim-signature")))
    yield from _signed(signed, domain, policy)
    if len(mail.all_of("dkim-signature")) > MOST:
        yield Finding("notice", f"Only its topmost {MOST} signatures were verified.")
    yield from _covered(mail, [one for one in signed if are_aligned(one.domain, domain, strict=policy.strict_dkim)])


def _said(said: Results, domain: str, policy: Policy) -> Iterator[Finding]:
    who = said.receiver or "The receiver"
    yield _spf(who, said.of("spf"), domain, policy)
    yield _dkim(who, said.of("dkim"), domain, policy)
    yield _dmarc(who, said.of("dmarc"), domain)


def _spf(who: str, results: Sequence[Result], domain: str, policy: Policy) -> Finding:
    if not results:
        return Finding("notice", f"{who} says nothing of SPF.")
    spf = results[0]
    of = spf.domain("smtp.mailfrom", "smtp.mail", "smtp.helo")
    if spf.result != "pass":
        return Finding(
            "error" if spf.result in ("fail", "permerror") else "notice",
            f"{who} says SPF {spf.result} for {of or 'an unnamed domain'}.",
            "Publish the SPF record that your provider names for it.",
        )
    if are_aligned(of, domain, strict=policy.strict_spf):
        return Finding("ok", f"{who} says SPF pass for {of}, which is aligned with From ({domain}).")
    return Finding(
        "ok",
        f"{who} says SPF pass for {of or 'an unnamed domain'}; as it is not aligned with From ({domain}), DMARC "
        "rests on DKIM alone.",
    )


def _dkim(who: str, results: Sequence[Result], domain: str, policy: Policy) -> Finding:
    passed = [one.domain("header.d", "header.i") for one in results if one.result == "pass"]
    aligned = [one for one in passed if are_aligned(one, domain, strict=policy.strict_dkim)]
    if aligned:
        return Finding("ok", f"{who} says DKIM pass for {aligned[0]}, which is aligned with From ({domain}).")
    if passed:
        return Finding(
            "error",
            f"{who} says DKIM pass for {passed[0] or 'an unnamed domain'}, which is not aligned with From ({domain}).",
            f"Verify {domain} at your provider, so that it signs as {domain}.",
        )
    if not results:
        return Finding("error", f"{who} says nothing of DKIM.", f"Verify {domain} at your provider.")
    return Finding("error", f"{who} says DKIM {results[0].result}.", "Check the DKIM records that your provider names.")


def _dmarc(who: str, results: Sequence[Result], domain: str) -> Finding:
    if not results:
        return Finding("notice", f"{who} says nothing of DMARC.")
    result = results[0].result
    if result == "pass":
        return Finding("ok", f"{who} says DMARC pass.")
    if result == "none":
        return Finding("notice", f"{who} found no DMARC record of {domain}.", "Run: skene-dagster doctor")
    return Finding(
        "error", f"{who} says DMARC {result}.", "Neither SPF nor DKIM passed for a domain that is aligned with From."
    )


def _signed(signed: Sequence[Signature], domain: str, policy: Policy) -> Iterator[Finding]:
    if not signed:
        yield Finding("error", "The message has no DKIM signature.", f"Verify {domain} at your provider.")
    for one in signed:
        name = f"The signature of {one.domain or 'nobody'}"
        match one.verified:
            case "yes":
                yield Finding("ok", f"{name} is valid now.")
            case "unknown":
                yield Finding("notice", f"{name} was not verified: {one.why}.")
            case "no":
                is_ours = are_aligned(one.domain, domain, strict=policy.strict_dkim)
                yield Finding(
                    "error" if is_ours else "notice",
                    f"{name} is not valid: {one.why}.",
                    "If its receiver said pass, it was changed when it was saved. Else check the DKIM records.",
                )
    if signed and not any(are_aligned(one.domain, domain, strict=policy.strict_dkim) for one in signed):
        yield Finding(
            "error",
            f"No signature is of a domain that is aligned with From ({domain}).",
            f"Verify {domain} at your provider, so that it signs as {domain}.",
        )


def _covered(mail: Mail, signed: Sequence[Signature]) -> Iterator[Finding]:
    wanted = [name for name in ("list-unsubscribe", "list-unsubscribe-post") if mail.all_of(name)]
    if not wanted or not signed:
        return
    best = min(signed, key=lambda one: len([name for name in wanted if name not in one.headers]))
    missing = [name for name in wanted if name not in best.headers]
    if missing:
        yield Finding(
            "error",
            f"The signature of {best.domain} does not cover {' and '.join(map(_title, missing))} (h=).",
            "Mail programs then show no unsubscribe button (RFC 8058). Ask your provider.",
        )
    else:
        yield Finding("ok", f"The signature of {best.domain} covers {' and '.join(map(_title, wanted))}.")


def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
