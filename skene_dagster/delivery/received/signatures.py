"""The DKIM signatures of a message, verified anew with the keys that DNS has now (RFC 6376)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import dkim

from skene_dagster.delivery.received.dns_records import DnsUnreachable, texts
from skene_dagster.delivery.received.domains import LONGEST_DOMAIN

MOST = 10
"""Signatures that are verified."""

_silent = logging.getLogger(f"{__name__}.dkimpy")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False

Verified = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Signature:
    """A signature, by the domain that made it."""

    domain: str
    headers: frozenset[str]
    """The headers that it covers, in small letters."""
    verified: Verified
    why: str = ""
    """Why it is not verified; a sentence without its end."""


def signatures(message: bytes, count: int) -> list[Signature]:
    """Verify the signatures of a message, as far as DNS answers.

    Args:
        count: how many there are.
    """
    found: list[Signature] = []
    unreachable = ""
    for number in range(min(count, MOST)):
        one = _verify(message, number, unreachable)
        # Whoever is silent about one key would be waited for at each.
        unreachable = unreachable or (one.why if one.verified == "unknown" else "")
        found.append(one)
    return found


def _verify(message: bytes, number: int, unreachable: str) -> Signature:
    verifier: dkim.DKIM | None = None
    verified: Verified
    try:
        verifier = dkim.DKIM(message, logger=_silent)
        if unreachable:
            verifier.verify_headerprep(number)
            verified, why = "unknown", unreachable
        else:
            good = verifier.verify(number, dnsfunc=_key)
            verified, why = ("yes", "") if good else ("no", "its key is not in DNS, or did not make this signature")
    except DnsUnreachable as error:
        verified, why = "unknown", str(error)
    except dkim.NaClNotFoundError:
        verified, why = "unknown", "it is an Ed25519 one, which is not verified here"
    except dkim.DKIMException as error:
        verified, why = "no", _in_words(error)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # dkimpy 1.1, 2026-11: not everything that a stranger may write into a signature ends in its own error.
        verified, why = "no", f"it cannot be read ({type(error).__name__})"
    fields = getattr(verifier, "signature_fields", None) or {}
    headers = _text(fields.get(b"h", b"")).lower().split(":")
    domain = _text(fields.get(b"d", b"")).strip().lower()[:LONGEST_DOMAIN]
    return Signature(domain, frozenset(one.strip() for one in headers), verified, why)


def _key(name: bytes, timeout: float = 0) -> bytes | None:
    del timeout
    found: Sequence[str] = texts(_text(name))
    return found[0].encode() if found else None


def _in_words(error: Exception) -> str:
    words = " ".join(str(error).split())
    if words.startswith("body hash mismatch"):
        return "the body was changed after it was signed"
    return words[:120] or type(error).__name__


def _text(raw: bytes) -> str:
    return raw.decode("ascii", errors="replace")
