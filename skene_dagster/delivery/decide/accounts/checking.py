"""What is checked of the accounts that a batch is about, once more before its emails are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from skene_dagster.consent import suppressions
from skene_dagster.consent.permission import Purpose, Refusal
from skene_dagster.consent.recipient import Recipients
from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts import recipients
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.ledger import Deferred, LeftOut, Skipped
from skene_dagster.delivery.model import Batch, ReservedSend
from skene_dagster.loops.plan import StepPlan
from skene_dagster.loops.planning.accounts import accounts_of
from skene_dagster.settings import Settings

_NOTHING: Mapping[str, object] = {}


@dataclass(frozen=True)
class AccountsOfBatch:
    """The accounts of a batch as they are now; of a batch that is about users there are none."""

    of_send: Mapping[str, object] = field(default_factory=dict)
    """Which account each send is about, by send_id."""
    occurrences: Mapping[str, tuple[object, str]] = field(default_factory=dict)
    """Likewise, with its occurrence."""
    _key: str = ""
    """The column with the accounts key."""
    _columns: Mapping[object, Mapping[str, object]] = field(default_factory=dict)
    _belong: frozenset[str] = frozenset()
    """The sends whose recipient is one of their account still."""
    _names: Mapping[object, str] = field(default_factory=dict)
    """As the list of suppressions knows them."""
    _refusals: Mapping[str, Refusal] = field(default_factory=dict)
    has_others: bool = False
    """Whether another one of an account may be mailed where one may not."""

    @staticmethod
    def read(
        connection: Connection,
        batch: Batch,
        waiting: Sequence[ReservedSend],
        step: StepPlan,
        settings: Settings,
        now: datetime,
    ) -> "AccountsOfBatch":
        """Read what the emails of a batch are about.

        Raises:
            SettingsError: what skene.yaml says of accounts does not match the database.
        """
        recipient, email = step.recipient, step.email
        if recipient is None or email is None:
            return AccountsOfBatch()
        occurrences = ledger.accounts_of_batch(connection, batch.batch_id)
        of_send = {send_id: account for send_id, (account, _) in occurrences.items()}
        keys = list(dict.fromkeys(of_send.values()))
        pairs = {row.send_id: (of_send[row.send_id], row.user_id) for row in waiting if row.send_id in of_send}
        still = recipients.still_recipients(connection, recipient, settings, pairs.values(), batch.as_of)
        by_hash = Recipients.of(connection)
        names = {key: by_hash.account(key) for key in keys}
        scopes = Purpose.of(settings, email.topic).scopes
        return AccountsOfBatch(
            of_send,
            occurrences,
            accounts_of(settings).key,
            recipients.columns(connection, settings, keys, email.account_columns),
            frozenset(send_id for send_id, pair in pairs.items() if pair in still),
            names,
            {**suppressions.stopped(connection, names.values(), scopes, now)},
            has_others=recipient == "most_recently_active",
        )

    def why_not(self, row: ReservedSend, person: Person) -> LeftOut | None:
        """Say why a user gets no email about their account; None: nothing of the account speaks against it."""
        if row.send_id not in self.of_send:
            return None
        account = self.of_send[row.send_id]
        if account not in self._columns:
            return Skipped("gone")
        if (refusal := self._refusals.get(self._names[account])) is not None:
            return Skipped(refusal)
        if row.send_id not in self._belong:
            return Deferred("new_recipient")
        if self.has_others and (not person.mailable or person.refusal is not None):
            return Deferred("new_recipient")
        return None

    def without_recipient(self, row: ReservedSend) -> LeftOut:
        """Say what becomes of an email whose recipient is gone: another one may be mailed about their account."""
        return Deferred("new_recipient") if self.of_send.get(row.send_id) in self._columns else Skipped("gone")

    def key(self, row: ReservedSend) -> object:
        """Return the key of the account of a send, as its table spells it; as the ledger does, where it is gone."""
        account = self.of_send.get(row.send_id)
        return self._columns.get(account, {}).get(self._key, account)

    def columns(self, row: ReservedSend) -> Mapping[str, object]:
        """Return what the email can show of the account."""
        return self._columns[self.of_send[row.send_id]] if row.send_id in self.of_send else _NOTHING

    def names(self, send_id: str) -> tuple[str, ...]:
        """Name the account of a send as the list of suppressions does."""
        return (self._names[self.of_send[send_id]],) if send_id in self.of_send else ()
