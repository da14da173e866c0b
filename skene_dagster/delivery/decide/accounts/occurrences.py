"""For which occurrence of an account somebody may be mailed, whoever that is: for each entry, or about each row."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from skene_dagster.delivery.decide.candidates import Candidate
from skene_dagster.delivery.decide.eligibility import AlreadyDecided, Defer, Rules, Skip, occurrence_of, of_row
from skene_dagster.delivery.ledger.decisions.account_model import Decided, past_of
from skene_dagster.delivery.model import COUNTED_FOR_REPEAT, IN_FLIGHT, NEXT_TICK, Past

Found = str | Skip | Defer | AlreadyDecided


def of_entry(
    one: Candidate, known: Sequence[Decided], rules: Rules, as_of: datetime, *, is_mailed: bool
) -> tuple[Found, Past | None]:
    """Say for which occurrence an account may be mailed that is in a segment; and what was decided before.

    Args:
        known: all that was decided about it, in that order.
        is_mailed: somebody of it is, at this tick.
    """
    waiting = one.waiting
    past = past_of(known, waiting.occurrence if waiting else None)
    found = occurrence_of(one.entered_at, past, waiting, rules, as_of)
    if isinstance(found, str) and is_known(known, found):
        # Some of it wait since it entered before: if it has entered again, it is everybody's turn.
        anew = occurrence_of(one.entered_at, past_of(known), None, rules, as_of)
        found = anew if isinstance(anew, str) else found
    if isinstance(found, str) and is_mailed:
        # It may wait twice: for an email that could not be made, and for one after it entered again.
        found = Defer(found, "in_flight", as_of + NEXT_TICK)
    return found, past


def of_its_row(
    one: Candidate,
    known: Sequence[Decided],
    rules: Rules,
    as_of: datetime,
    expires_after: timedelta,
    *,
    is_mailed: bool,
) -> tuple[Found, Past | None]:
    """Say whether an account may be mailed about a row that triggered; and what was decided about that row before.

    Args:
        known, is_mailed: as in `of_entry`.
    """
    occurrence = str(one.occurrence)
    mails = [
        row.as_of for row in known if row.occurrence != occurrence and row.state in (*COUNTED_FOR_REPEAT, *IN_FLIGHT)
    ]
    mailed_as_of = as_of if is_mailed else max(mails, default=None)
    last = next((row for row in reversed(known) if row.occurrence == occurrence), None)
    past = None if last is None else Past(1, last.state, last.reason, last.as_of, mailed_as_of)
    if past is not None and one.waiting is None:
        return AlreadyDecided(), past
    return of_row(occurrence, one.entered_at, mailed_as_of, rules, as_of, expires_after) or occurrence, past


def is_known(known: Sequence[Decided], occurrence: str) -> bool:
    """Whether an account's decision for an occurrence stands."""
    return any(row.occurrence == occurrence for row in known)
