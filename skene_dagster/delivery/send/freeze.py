"""Freeze: render a batch once, for ever. This is the only place that checks who should no longer get their email."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide import facts
from skene_dagster.delivery.decide.accounts.checking import AccountsOfBatch
from skene_dagster.delivery.decide.addressees import zone_of
from skene_dagster.delivery.decide.eligibility import LEFT, fault_of
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.email.graphemes import cut
from skene_dagster.delivery.email.letterhead import Letterhead
from skene_dagster.delivery.email.message import ORIGIN_TAG, Frozen, Message, origin
from skene_dagster.delivery.email.templates import MissingValue, Unrenderable
from skene_dagster.delivery.ledger import Deferred, LeftOut, NotYet, Skipped
from skene_dagster.delivery.model import Batch, ReservedSend
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.send.links import Links
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.delivery.send.source import Source
from skene_dagster.goals.reaching import last_reached
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.loops.times.hours import ANY_HOUR, Hours, leaves_at
from skene_dagster.product import attributes
from skene_dagster.segments import members
from skene_dagster.segments.conditions import subject
from skene_dagster.segments.triggers import trigger_rows
from skene_dagster.settings import Settings

LARGEST_PAYLOAD = 4 * 1024 * 1024
"""Bytes of a frozen batch; TiDB refuses a row of more than 6 MiB (8025, seen 2026-11)."""

LONGEST_DETAIL = 255

Reasons = dict[str, LeftOut]
"""send_id → why there is no email."""


def freeze_batch(connection: Connection, batch: Batch, source: Source, session: DeliverySession) -> Frozen | None:
    """Render the batch's emails and keep their bytes; record who is skipped and why.

    Returns:
        What is to be sent now; None if nothing is, if it was split, or if another run has it by now.
    """
    assert batch.owner is not None
    now, name = session.clock(), source.email.provider
    provider = session.outlet(name).provider
    waiting = ledger.members_of(connection, batch.batch_id)
    if len(waiting) > provider.terms.batch_limit:
        _cut(connection, batch, waiting, provider.terms.batch_limit, session)
        return None
    left = source.late.who_left(connection, batch, waiting, now)
    people = _people(connection, batch, waiting, source, session)
    accounts = AccountsOfBatch.read(connection, batch, waiting, source.step, session.settings, now)
    messages, left_out = _render(connection, batch, waiting, people, accounts, left, source, session)
    if session.mode.leaves:
        tag = (ORIGIN_TAG, origin(source.ledger_id, batch.batch_id))
        messages = [replace(message, tags=(*message.tags, tag)) for message in messages]
    frozen = provider.freeze(messages) if messages else None
    if frozen is not None and len(frozen.packed) > LARGEST_PAYLOAD:
        if len(messages) > 1:
            parts = -(-len(frozen.packed) // LARGEST_PAYLOAD)
            _cut(connection, batch, waiting, -(-len(waiting) // parts), session)
            return None
        left_out[messages[0].send_id] = Deferred("too_large", f"{len(frozen.packed):,} bytes")
        frozen = None
    mailed = {row.send_id: row.user_id for row in waiting}
    recipients = [
        name
        for send_id in (frozen.send_ids if frozen else ())
        for name in (*people[mailed[send_id]].names, *accounts.names(send_id))
    ]
    domains = {message.send_id: message.to.rpartition("@")[2].lower() for message in messages}
    languages = {message.send_id: message.language for message in messages}
    ours = ledger.freeze(
        connection,
        batch.batch_id,
        batch.owner,
        frozen=frozen,
        recipients=recipients,
        domains=[domains[send_id] for send_id in (frozen.send_ids if frozen else ())],
        languages=[languages[send_id] for send_id in (frozen.send_ids if frozen else ())],
        provider=name,
        left_out=left_out,
        now=now,
    )
    return frozen if ours else None


def _cut(
    connection: Connection, batch: Batch, waiting: Sequence[ReservedSend], size: int, session: DeliverySession
) -> None:
    parts = in_parts([row.send_id for row in waiting], size)
    session.cut += ledger.split(connection, batch, parts, session.clock())


def in_parts(send_ids: Sequence[str], size: int) -> list[Sequence[str]]:
    """Cut a batch into parts of at most so many emails."""
    return [send_ids[start : start + size] for start in range(0, len(send_ids), size)]


def halves(send_ids: Sequence[str]) -> list[Sequence[str]]:
    """Cut a batch in two."""
    return in_parts(send_ids, (len(send_ids) + 1) // 2)


def _people(
    connection: Connection, batch: Batch, waiting: Sequence[ReservedSend], source: Source, session: DeliverySession
) -> dict[object, Person]:
    keys = [row.user_id for row in waiting]
    return facts.people(
        connection,
        session.settings,
        source.email,
        keys,
        source.email.user_columns,
        as_of=batch.as_of,
        now=session.clock(),
        named=True,
    )


@dataclass(frozen=True)
class _Checks:
    """What is checked of each user once more before their email is made."""

    source: Source
    settings: Settings
    inside: Mapping[Any, str | None]
    """The kept columns of those who are inside, or of the rows that are known."""
    accounts: AccountsOfBatch
    left: Collection[str]
    """The sends of those who no longer qualify."""
    recipients: Mapping[str, str]
    """To whom each send was to go when it was decided."""
    now: datetime | None
    """None: nobody's clock is looked at."""
    decided_as_of: datetime
    """At which tick it was decided that they get it."""
    reached: Mapping[object, datetime]
    """When users last reached the loop's goal; of those of a tick that is late."""
    entered: Mapping[object, datetime]
    """When they, or the accounts that their emails are about, entered."""

    def subject(self, row: ReservedSend) -> object:
        """Return what `inside` knows a send by."""
        by_row = self.source.step.by_row
        if self.source.step.per_account:
            # None: its recipient is being erased, and a user's key may be that of an account.
            accounts = self.accounts
            return accounts.occurrences.get(row.send_id) if by_row else accounts.of_send.get(row.send_id)
        return (row.user_id, row.occurrence) if by_row else row.user_id

    def why_not(self, row: ReservedSend, person: Person | None) -> LeftOut | None:
        """Say why a user gets no email now; None: they get it."""
        if self.subject(row) not in self.inside:
            return Skipped(LEFT)
        if person is None:
            return self.accounts.without_recipient(row)
        if row.send_id in self.left:
            # No refresh has seen a member leave: the next tick decides whether they are back.
            return Skipped(LEFT) if self.source.step.by_row else Deferred(LEFT)
        if (why_not := self.accounts.why_not(row, person)) is not None:
            return why_not
        if not person.mailable:
            return Skipped("not_mailable")
        if (fault := fault_of(person.address)) is not None:
            return Deferred(fault)
        if person.refusal is not None:
            return Skipped(person.refusal)
        entered_at = self.entered.get(self.subject(row), self.decided_as_of)
        if (at := self.reached.get(row.user_id)) is not None and at > entered_at:
            return Skipped("goal_reached")
        if self.recipients.get(row.send_id, person.recipient) != person.recipient:
            # The caps have counted another address.
            return Deferred("new_address")
        until = self._quiet_until(person)
        return None if until is None else NotYet(until)

    def _quiet_until(self, person: Person) -> datetime | None:
        quiet = Hours(self.source.email.hours.quiet)
        if self.now is None or quiet == ANY_HOUR:
            return None
        zone = zone_of(person, self.settings, self.source.plan.zone_of(self.source.step))
        return leaves_at(self.now, self.now, zone, quiet)


def _render(
    connection: Connection,
    batch: Batch,
    waiting: Sequence[ReservedSend],
    people: Mapping[object, Person],
    accounts: AccountsOfBatch,
    left: Collection[str],
    source: Source,
    session: DeliverySession,
) -> tuple[list[Message], Reasons]:
    plan, step, email = source.plan, source.step, source.email
    settings, mode, now = session.settings, session.mode, session.clock()
    checks = _Checks(
        source=source,
        settings=settings,
        inside=_kept(connection, plan, step, mode, waiting, accounts),
        accounts=accounts,
        left=left,
        recipients=ledger.decided_recipients(connection, batch.batch_id),
        # The clocks of those are not looked at who are mailed in simulated time.
        now=None if mode.simulates(batch.as_of, now, settings.limits.expires_after) else now,
        decided_as_of=batch.as_of,
        **_reached(connection, batch, waiting, accounts, source, session),
    )
    letterhead = Letterhead.of(settings, email)
    is_live = mode.name == "live"
    links = Links.of(connection, settings, email, is_live=is_live, ledger_id=source.ledger_id)
    emails = source.emails(connection, batch, waiting, accounts)
    messages: list[Message] = []
    left_out: Reasons = {}
    for row in waiting:
        person = people.get(row.user_id)
        why_not = checks.why_not(row, person)
        if why_not is not None:
            left_out[row.send_id] = why_not
        elif person is not None:
            try:
                message = source.templates.render(
                    emails[row.send_id],
                    user=person.columns,
                    account=accounts.columns(row),
                    row=attributes.read(checks.inside[checks.subject(row)], email.row_columns),
                    letterhead=_addressed(letterhead, links, person, settings, row),
                    send_id=row.send_id,
                    to=person.address or "",
                    loop=plan.name,
                    step=step.name,
                )
            except MissingValue as missing:
                left_out[row.send_id] = Deferred("missing_value", cut(str(missing), LONGEST_DETAIL))
            except Unrenderable as bad:
                left_out[row.send_id] = Deferred("unrenderable", cut(str(bad), LONGEST_DETAIL))
            else:
                redirected = mode.name == "redirect" and settings.redirect_to
                messages.append(replace(message, to=redirected) if redirected else message)
    return messages, left_out


def _reached(
    connection: Connection,
    batch: Batch,
    waiting: Sequence[ReservedSend],
    accounts: AccountsOfBatch,
    source: Source,
    session: DeliverySession,
) -> dict[str, Mapping[object, datetime]]:
    """Read who reached the goal since they entered, where that may have been after it was decided."""
    plan, step, now = source.plan, source.step, session.clock()
    if not plan.goals or not source.late.is_late(batch.as_of, now):
        return {"reached": {}, "entered": {}}
    keys = [row.user_id for row in waiting]
    # Of rows that triggered, what came before the decision was asked then.
    segment = segment_name(plan.name, step.ledger_name)
    inside = list(dict.fromkeys(accounts.of_send.values())) if step.per_account else keys
    entered = {} if step.by_row else members.entered(connection, segment, inside, subject(step))
    return {"reached": last_reached(connection, plan, session.settings, keys, as_of=now), "entered": entered}


def _addressed(
    letterhead: Letterhead, links: Links | None, person: Person, settings: Settings, row: ReservedSend
) -> Letterhead:
    if links is None:
        return letterhead
    locale = settings.users.locale and person.columns[settings.users.locale]
    return replace(letterhead, link=links.to(person.names, locale, row.send_id))


def _kept(
    connection: Connection,
    plan: LoopPlan,
    step: StepPlan,
    mode: Mode,
    waiting: Sequence[ReservedSend],
    accounts: AccountsOfBatch,
) -> Mapping[Any, str | None]:
    """Read the kept columns of those who are to be mailed: by user or account, and occurrence if rows trigger it."""
    segment, about = segment_name(plan.name, step.ledger_name), subject(step)
    rows = [(row.user_id, row.occurrence) for row in waiting]
    if step.per_account:
        rows = list(accounts.occurrences.values())
    if step.by_row:
        return trigger_rows.kept(connection, mode.name, segment, rows, about)
    return members.kept(connection, segment, [key for key, _ in rows], about)
