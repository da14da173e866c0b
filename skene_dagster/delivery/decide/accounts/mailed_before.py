"""Who of an account was mailed before the ledger was restored from a backup, which does not know of it.

Of a user the same decision, made again, finds that its email has left. Another one may own the account by now, or have
been active last: so whoever of it was mailed for an occurrence is decided again, and nobody else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts.recipients import recipients
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.ledger.decisions.account_model import occurrence_of_send
from skene_dagster.settings import Settings


@dataclass(frozen=True)
class MailedBefore:
    """The sends that the provider's records told of, and who could have been mailed about the accounts of a page."""

    scope: StepScope
    send_ids: frozenset[str] = frozenset()
    users: Mapping[object, Sequence[object]] = field(default_factory=dict)

    @staticmethod
    def read(
        connection: Connection,
        scope: StepScope,
        settings: Settings,
        users: Mapping[object, Sequence[object]],
        keys: Sequence[object],
        as_of: datetime,
    ) -> "MailedBefore":
        """Read it; a ledger that was never told of anything has nothing to read.

        Args:
            users: whom emails about each account could go to now. Beside them everybody of it is looked at.
        """
        told = ledger.recovered_sends(connection)
        if not told:
            return MailedBefore(scope)
        everybody = recipients(connection, "everybody", settings, keys, as_of)
        return MailedBefore(scope, told, {key: [*users.get(key, ()), *everybody.get(key, ())] for key in keys})

    def of(self, account: object, occurrence: str) -> object | None:
        """Say who was mailed about an account for an occurrence; None: nobody, as far as anybody knows."""
        if not self.send_ids:
            return None
        named = occurrence_of_send(account, occurrence)
        found = (user for user in self.users.get(account, ()) if self._was_mailed(user, named))
        return next(found, None)

    def _was_mailed(self, user: object, named: str) -> bool:
        return ledger.send_id(self.scope, user, named) in self.send_ids
