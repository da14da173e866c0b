"""What would be decided about accounts that a condition returns, found without writing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts import recipients
from skene_dagster.delivery.decide.arbiter.arbiter import Arbiter
from skene_dagster.delivery.decide.candidates import Candidate
from skene_dagster.delivery.decide.eligibility import Decision, Rules
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.send_audience import SendAudience
from skene_dagster.delivery.model import Past
from skene_dagster.segments import members
from skene_dagster.store.subjects import ACCOUNTS

_NOBODY = Person(None, mailable=False, columns={})


@dataclass(frozen=True)
class RehearsedAccount:
    """What would become of one account."""

    account_id: object
    account: Mapping[str, object]
    """Its columns that the email names."""
    inside_since: datetime | None
    """None of one that enters at this tick."""
    decision: Decision
    past: Past | None
    user_id: object | None
    """Who would be mailed, the first of them where it is everybody; None: nobody."""
    person: Person
    waits: bool


def decided_accounts(
    audience: SendAudience, connection: Connection, keys: Sequence[object], rules: Rules, arbiter: Arbiter
) -> list[RehearsedAccount]:
    """Decide about some accounts; those that there are not are left out.

    Raises:
        NotCounted: it is not known who was active last, which the loop asks for.
        SettingsError: what skene.yaml says of accounts does not match the database.
    """
    as_of, email, settings = audience.as_of, audience.email, audience.settings
    there = recipients.columns(connection, settings, keys, email.account_columns)
    inside: Mapping[object, datetime] = {}
    waiting = {}
    if audience.has_accounts:
        inside = members.entered(connection, audience.segment, keys, ACCOUNTS)
        waiting = ledger.waiting_users(connection, audience.scope, keys)
    page = [Candidate(key, inside.get(key) or as_of, None, waiting.get(key)) for key in keys if key in there]
    found = []
    for one in audience.decide(connection, page, rules, as_of, arbiter=arbiter):
        user = one.mailed[0] if one.mailed else None
        person = _NOBODY
        if user is not None:
            person = audience.people(connection, [user], as_of, email.user_columns)[user]
        key = one.candidate.user_id
        found.append(
            RehearsedAccount(key, there[key], inside.get(key), one.decision, one.past, user, person, key in waiting)
        )
    return found
