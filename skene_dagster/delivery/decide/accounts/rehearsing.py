"""What would be decided about accounts that a condition returns, found without writing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts import recipients
from skene_dagster.delivery.decide.arbiter.arbiter import Arbiter
from skene_dagster.delivery.decide.candidates import Candidate
from skene_dagster.delivery.decide.eligibility import Decision, Rules
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.send_audience import SendAudience
from skene_dagster.delivery.model import Past, Waiting
from skene_dagster.segments import members
from skene_dagster.store.subjects import ACCOUNTS

NOBODY = Person(None, mailable=False, columns={})


@dataclass(frozen=True)
class RehearsedAccount:
    """What would become of one account."""

    account_id: object
    occurrence: str | None
    """The row that triggered; None where it is inside."""
    account: Mapping[str, object]
    """Its columns that the email names."""
    inside_since: datetime | None
    """None of one that enters at this tick."""
    decision: Decision
    past: Past | None
    user_id: object | None
    """Who would be mailed, the first of them where it is everybody; None: nobody."""
    person: Person
    emails: int
    waits: bool


def decided_accounts(
    audience: SendAudience, connection: Connection, keys: Sequence[object], rules: Rules, arbiter: Arbiter
) -> list[RehearsedAccount]:
    """Decide about some accounts; those that there are not are left out.

    Raises:
        NotCounted: it is not known who was active last, which the loop asks for.
        SettingsError: what skene.yaml says of accounts does not match the database.
    """
    inside: Mapping[object, datetime] = {}
    waiting: Mapping[object, Waiting] = {}
    if audience.has_accounts:
        inside = members.entered(connection, audience.segment, keys, ACCOUNTS)
        waiting = ledger.waiting_users(connection, audience.scope, keys)
    page = [Candidate(key, inside.get(key) or audience.as_of, None, waiting.get(key)) for key in keys]
    return decided_candidates(audience, connection, page, rules, arbiter, inside)


def decided_candidates(
    audience: SendAudience,
    connection: Connection,
    page: Sequence[Candidate],
    rules: Rules,
    arbiter: Arbiter,
    inside: Mapping[object, datetime] = MappingProxyType({}),
) -> list[RehearsedAccount]:
    """Decide about some accounts, or about rows that triggered, in their order; accounts that are gone are left out.

    Args:
        inside: since when each is in the segment.

    Raises:
        NotCounted, SettingsError: as `decided_accounts` does.
    """
    as_of, email, keys = audience.as_of, audience.email, list(dict.fromkeys(one.user_id for one in page))
    there = recipients.columns(connection, audience.settings, keys, email.account_columns)
    page = [one for one in page if one.user_id in there]
    found = []
    for one in audience.decide(connection, page, rules, as_of, arbiter=arbiter):
        user = one.mailed[0] if one.mailed else None
        person = NOBODY
        if user is not None:
            person = audience.people(connection, [user], as_of, email.user_columns)[user]
        candidate = one.candidate
        key = candidate.user_id
        found.append(
            RehearsedAccount(
                key,
                candidate.occurrence,
                there[key],
                inside.get(key),
                one.decision,
                one.past,
                user,
                person,
                emails=one.emails,
                waits=candidate.waiting is not None,
            )
        )
    return found
