"""What is decided about an account, as the ledger takes it and gives it back."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from skene_dagster.delivery.model import COUNTED_FOR_REPEAT, IN_FLIGHT, Past, Reason, SendState, SkipReason, Waiting
from skene_dagster.delivery.new_decisions import NewContact, NewSend
from skene_dagster.goals.account_arms import EnrolledAccount
from skene_dagster.store.keys import as_text

_HALF = 32
"""Characters of half an occurrence, as its column has it."""


@dataclass(frozen=True)
class NewAccount:
    """What was decided about an account; all of it is still to be written down."""

    account_id: object
    occurrence: str
    is_final: bool
    """It is the account's decision for this occurrence; else it stands already, or is taken again."""
    state: Literal["mailed", "held_out", "skipped"] = "skipped"
    """What that decision is; where somebody of it is mailed, `mailed`."""
    reason: SkipReason | Literal["global"] | None = None
    """Why nobody of it is mailed; None where somebody is, or where this loop holds it out."""
    sends: Sequence[NewSend] = ()
    """Who of it is mailed, and who is not."""
    contacts: Sequence[NewContact] = ()
    waiting: Waiting | None = None
    """It is decided again: all of it, or those who are left."""
    enrolled: EnrolledAccount | None = None
    """It is compared from now on; None: it is not, or has been."""


@dataclass(frozen=True)
class Decided:
    """What the ledger knows about an account and one occurrence; a row for each of its people with a send."""

    occurrence: str
    state: SendState
    reason: Reason | None
    as_of: datetime
    user_id: object | None
    """None: nobody of it has one."""


def past_of(known: Collection[Decided], except_for: str | None = None) -> Past | None:
    """Say of an account that was in a segment what `ledger.history` says of a user.

    Args:
        known: in the order in which it was decided.
        except_for: an occurrence that is being decided, and is not past.
    """
    past: Past | None = None
    for one in known:
        if one.occurrence == except_for:
            continue
        mailed = one.as_of if one.state in COUNTED_FOR_REPEAT else past.mailed_as_of if past else None
        last = max(int(one.occurrence), past.occurrences if past else 0)
        is_in_flight = one.state in IN_FLIGHT or (past is not None and past.is_in_flight)
        past = Past(last, one.state, one.reason, one.as_of, mailed, is_in_flight)
    return past


def occurrence_of_send(account_id: object, occurrence: str) -> str:
    """Name the occurrence of a send about an account: one person may be mailed about several."""
    named = occurrence if len(occurrence) < _HALF else _short(occurrence)[1:]
    return f"{named}@{_short(as_text(account_id))}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HALF]
