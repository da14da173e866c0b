"""The product made wrong on purpose: what the simulation must notice, and within how many histories.

A mutant is applied in a test only. Those of the provider's answers are what an adapter might make of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from provider import Model
from sqlalchemy import Connection, Engine, func, literal, update

from skene_dagster.consent.permission import Purpose
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import SCOPES
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.decide import eligibility, send_audience
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.ledger import StepProgress, StepScope, receipts
from skene_dagster.delivery.ledger.decisions import past
from skene_dagster.delivery.ledger.receipt_counts import count_accepted
from skene_dagster.delivery.model import Batch, GateName, HoldReason, SkipReason
from skene_dagster.delivery.providers.base import (
    Absent,
    Accepted,
    Answer,
    Finding,
    Found,
    Refused,
    SlotWait,
    Throttled,
    Unknown,
    Unprovable,
)
from skene_dagster.delivery.send import advance, attempt, freeze, records
from skene_dagster.delivery.send.attempt import attempt as attempted
from skene_dagster.delivery.send.records import Next, Policy
from skene_dagster.delivery.send.session import DeliverySession, Outlet
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import batches

DENIED = "accepted, and the ledger says otherwise"
TWICE = "mailed twice"
UNDECIDED = "a member without a decision"
UNHEARD = "a request after a committed no"
RESENT = "mailed twice within a key's life"


@dataclass(frozen=True)
class Mutant:
    """What is made wrong, and how it shows."""

    apply: Callable[[pytest.MonkeyPatch], None]
    kinds: set[str]
    """What it must be convicted of."""
    within: int
    """Histories within which it must be."""
    given: Mapping[str, int] = field(default_factory=dict)
    """What chance does not decide: it would be too slow."""
    each: str = ""
    """A choice that takes one value after the other, one in each history."""
    black_box: bool = False
    """The provider's log alone convicts; the judge does not look at the ledger."""


def an_email_is_encoded_again(patch: pytest.MonkeyPatch) -> None:
    """The bytes of a frozen batch are made anew for each attempt."""
    real = ledger.frozen

    def frozen(connection: Connection, batch_id: str) -> Frozen | None:
        kept = real(connection, batch_id)
        return None if kept is None else Frozen(kept.send_ids, kept.body + b" ")

    patch.setattr(ledger, "frozen", frozen)


def the_ledger_learns_of_an_attempt_after_it(patch: pytest.MonkeyPatch) -> None:
    """`unresolved_since` is written when there is no answer, not before the request."""
    begin, send, open_outlet = ledger.begin_attempt, Model.send_batch, DeliverySession.outlet
    engines: list[Engine] = []

    def begin_attempt(connection: Connection, batch: Batch, owner: str, now: Any) -> int | None:
        number = begin(connection, batch, owner, now)
        if number is not None and batch.unresolved_since is None:
            mine = update(batches).where(batches.c.batch_id == batch.batch_id)
            connection.execute(mine.values(unresolved_since=None))
        return number

    def send_batch(model: Model, batch: Frozen, key: str) -> Answer:
        answer = send(model, batch, key)
        if isinstance(answer, Unknown):
            mine = update(batches).where(batches.c.batch_id == key.rpartition("/")[2])
            since = func.coalesce(batches.c.unresolved_since, literal(model.scheduler.now))
            transaction(engines[-1], lambda c: c.execute(mine.values(unresolved_since=since)))
        return answer

    def outlet(session: DeliverySession, name: str | None) -> Outlet:
        engines.append(session.engine)
        return open_outlet(session, name)

    patch.setattr(ledger, "begin_attempt", begin_attempt)
    patch.setattr(Model, "send_batch", send_batch)
    patch.setattr(DeliverySession, "outlet", outlet)


def _answers(patch: pytest.MonkeyPatch, read: Callable[[Answer], Answer]) -> None:
    send = Model.send_batch
    patch.setattr(Model, "send_batch", lambda model, batch, key: read(send(model, batch, key)))


def a_5xx_counts_as_a_refusal(patch: pytest.MonkeyPatch) -> None:
    """Nothing was accepted, it says, of what was answered with 500."""
    _answers(patch, lambda said: Refused(said.reason) if isinstance(said, Unknown) and said.reason == "500" else said)


def no_answer_counts_as_not_now(patch: pytest.MonkeyPatch) -> None:
    """Silence is taken for a definite answer."""
    _answers(patch, lambda said: Throttled(1.0, said.reason) if isinstance(said, Unknown) else said)


def the_ids_come_in_another_order(patch: pytest.MonkeyPatch) -> None:
    """The provider's ids are written to others' sends."""
    _answers(patch, lambda said: Accepted(said.ids[::-1]) if isinstance(said, Accepted) else said)


def a_key_is_trusted_for_ever(patch: pytest.MonkeyPatch) -> None:
    """What was accepted a day ago is sent again under its key."""
    for module in (records, attempt):
        patch.setattr(module, "key_is_over", lambda _batch, _now: False)


def every_answer_is_definite(patch: pytest.MonkeyPatch) -> None:
    """A refusal or a 429 says, too, that attempts before it were not accepted."""

    def wrong(hands: DeliverySession, batch: Batch, frozen: Frozen, policy: Policy) -> Next:
        return attempted(hands, replace(batch, unresolved_since=None), frozen, policy)

    patch.setattr(advance, "attempt", wrong)


def _records(patch: pytest.MonkeyPatch, read: Callable[[Model, Frozen, Any, Finding], Finding]) -> None:
    find = Model.find

    def found(model: Model, batch: Frozen, since: Any, until: Any, wait_for_slot: SlotWait) -> Finding:
        return read(model, batch, until, find(model, batch, since, until, wait_for_slot))

    patch.setattr(Model, "find", found)


def what_is_not_proven_is_absent(patch: pytest.MonkeyPatch) -> None:
    """Records that are denied or too short are taken for ones that show nothing."""
    _records(patch, lambda _model, _batch, _until, said: Absent() if isinstance(said, Unprovable) else said)


def records_need_not_be_new(patch: pytest.MonkeyPatch) -> None:
    """Records prove an absence that show nothing later than the attempt in question."""

    def read(_model: Model, _batch: Frozen, _until: Any, said: Finding) -> Finding:
        is_old = isinstance(said, Unprovable) and said.reason == "the records show no later request"
        return Absent() if is_old else said

    _records(patch, read)


def what_was_accepted_late_is_not_found(patch: pytest.MonkeyPatch) -> None:
    """A look ends five minutes after the last attempt."""

    def read(model: Model, batch: Frozen, until: Any, said: Finding) -> Finding:
        accepted = [one for one in model.log if one.ids and one.batch.send_ids == batch.send_ids]
        is_late = all(one.at > until + timedelta(minutes=5) for one in accepted)
        return Absent() if isinstance(said, Found) and is_late else said

    _records(patch, read)


def a_pause_is_not_read_before_a_request(patch: pytest.MonkeyPatch) -> None:
    """Orders are obeyed only by what is not reserved yet."""
    patch.setattr(DeliverySession, "may_send", lambda _session, _connection, _batch: True)


def who_slept_sends_all_the_same(patch: pytest.MonkeyPatch) -> None:
    """A process that was suspended after its attempt began goes on with it."""
    patch.setattr(attempt, "_slept", lambda _session, _begun: False)


def who_is_in_flight_may_be_mailed(patch: pytest.MonkeyPatch) -> None:
    """A member who enters again is mailed again, though the last email is still on its way."""
    patch.setattr(past, "IN_FLIGHT", frozenset[str]())


def who_enters_in_flight_is_passed_over(patch: pytest.MonkeyPatch) -> None:
    """A member who enters again while the last email is on its way is taken for decided."""
    real = eligibility.decide

    def decide(*arguments: Any) -> eligibility.Decision:
        decision = real(*arguments)
        is_in_flight = isinstance(decision, eligibility.Defer) and decision.reason == "in_flight"
        return eligibility.AlreadyDecided() if is_in_flight else decision

    patch.setattr(send_audience, "decide", decide)


def a_tick_counts_as_decided_before_it_is(patch: pytest.MonkeyPatch) -> None:
    """How far a step has decided is written when a tick begins."""
    real = ledger.begin

    def begin(
        connection: Connection, scope: ledger.StepScope, digest: str, as_of: datetime, *, transactional: bool
    ) -> StepProgress:
        before = real(connection, scope, digest, as_of, transactional=transactional)
        ledger.complete(connection, scope, as_of, before.reserved_as_of)
        return before

    patch.setattr(ledger, "begin", begin)


def a_pause_counts_as_a_decision(patch: pytest.MonkeyPatch) -> None:
    """Whom a pause holds is passed over when it ends."""
    real = ledger.hold

    def hold(
        connection: Connection,
        scope: ledger.StepScope,
        reason: HoldReason,
        since: datetime | None,
        said: Mapping[GateName, str],
    ) -> None:
        real(connection, scope, reason, since, said)
        ledger.complete(connection, scope, datetime(2027, 1, 1), since)

    patch.setattr(ledger, "hold", hold)


def a_no_is_read_when_deciding_only(patch: pytest.MonkeyPatch) -> None:
    """Who is suppressed after they were reserved is mailed."""
    a_no_is_not_read_before_a_request(patch)
    real = freeze._people
    patch.setattr(
        freeze, "_people", lambda *args: {key: replace(one, refusal=None) for key, one in real(*args).items()}
    )


def a_no_is_not_read_before_a_request(patch: pytest.MonkeyPatch) -> None:
    """Who is suppressed after their email was frozen is mailed."""
    patch.setattr(attempt, "_is_suppressed", lambda *_: False)


def a_no_is_an_address_s_alone(patch: pytest.MonkeyPatch) -> None:
    """Who said no is mailed at another address."""
    patch.setattr(Recipients, "of_user", lambda self, _user, address: (self.address(address),))


def a_no_to_a_topic_is_not_read_before_a_request(patch: pytest.MonkeyPatch) -> None:
    """Who said no to the topic after their email was frozen is mailed: only wider suppressions are looked for."""
    patch.setattr(Purpose, "scopes", property(lambda _: SCOPES))


def consent_is_asked_when_deciding_only(patch: pytest.MonkeyPatch) -> None:
    """Who took their consent back after they were reserved is mailed."""
    real = freeze._people

    def people(*args: Any) -> dict[object, Person]:
        return {
            key: replace(one, refusal=None if one.refusal == "no_consent" else one.refusal)
            for key, one in real(*args).items()
        }

    patch.setattr(freeze, "_people", people)


def a_cancel_drops_what_may_have_left(patch: pytest.MonkeyPatch) -> None:
    """Whatever is open is dropped, with or without an unanswered attempt."""
    real = ledger.drop

    def drop(connection: Connection, batch_id: str, reason: SkipReason, now: Any) -> bool:
        mine = update(batches).where(batches.c.batch_id == batch_id)
        connection.execute(mine.values(unresolved_since=None))
        return real(connection, batch_id, reason, now)

    def may_send(hands: DeliverySession, connection: Connection, batch: Batch) -> bool:
        orders = controls.orders(connection, batch.loop, batch.step)
        if orders.cancelled_at is not None and batch.as_of <= orders.cancelled_at:
            drop(connection, batch.batch_id, "cancelled", hands.clock())
            return False
        return not orders.paused

    patch.setattr(DeliverySession, "may_send", may_send)


def set_is_written_once(patch: pytest.MonkeyPatch) -> None:
    """An accepted batch is settled before its `set` is written."""
    real = ledger.settle

    def settle(*arguments: Any, write_back: bool, now: Any) -> None:
        del write_back
        real(*arguments, write_back=False, now=now)

    patch.setattr(ledger, "settle", settle)


def receipts_come_after_settling(patch: pytest.MonkeyPatch) -> None:
    """The receipts of a batch are written in a transaction of their own, after the one that settles it."""
    real = records.settle

    def settle(
        session: DeliverySession, batch: Batch, frozen: Frozen, ids: tuple[str | None, ...], policy: Policy
    ) -> Next:
        with patch.context() as meanwhile:
            meanwhile.setattr(receipts, "write", lambda *_: 0)
            next_ = real(session, batch, frozen, ids, policy)

        def write(connection: Connection) -> None:
            if written := receipts.write(connection, batch.batch_id, frozen.send_ids, [], []):
                count_accepted(connection, StepScope(batch.mode, batch.loop, batch.step), [session.clock()] * written)

        session.do(write)
        return next_

    patch.setattr(records, "settle", settle)
    patch.setattr(attempt, "settle", settle)


QUOTA, LOST, AFTER_ACCEPTING, THROTTLED, FATAL = 4, 3, 5, 6, 7
"""Modes of the provider."""

A_KEYS_LIFE, A_DAY = 5, 6
"""Gaps between two rounds."""

TIPS = 3
"""The variant of the loop that mails only who agreed."""

AGAIN, EDIT, ORDER, RETAIN = 1, 3, 6, 10
"""Events of a round."""

CALM = {"profile": 3, "badness": 0, "outside": 0, "limits": 0, "sharing": 0}
"""Nobody dies, every address is good and one user's, and there are no limits."""

UNPROVEN = {**CALM, "rounds": 3, "variant": 0, "mode0": LOST, "gap0": A_KEYS_LIFE, "gap1": 3, "mode1": 0, "mode2": 0}
"""An email is accepted, the answer lost, and the records are asked when the key is over: in two rounds."""

LEAVES_AND_RETURNS = (
    CALM
    | {"rounds": 4, "users": 0, **{f"mode{number}": QUOTA for number in range(4)}}
    | {"events0": 1, "events1": 0, "events2": 1, "events3": 0}
    | {"event0#0": EDIT, "event2#0": EDIT, "edit0": 0, "edit2": 0}
)
"""The only user leaves and returns while their email waits for the quota."""

NO_MEANWHILE = CALM | {"rounds": 1, "mode0": QUOTA, "mode1": 0, "events0": 1, "event0#0": EDIT, "edit0": 5}
"""A user is suppressed while their email waits for the quota."""

MUTANTS = (
    Mutant(an_email_is_encoded_again, {"other bytes under a key that was tried"}, 20),
    Mutant(the_ledger_learns_of_an_attempt_after_it, {"a request of which the ledger does not know"}, 10),
    Mutant(a_5xx_counts_as_a_refusal, {TWICE, RESENT, DENIED}, 10, CALM | {"mode0": AFTER_ACCEPTING}),
    Mutant(no_answer_counts_as_not_now, {TWICE, DENIED}, 20, CALM | {"mode0": LOST, "gap0": A_DAY, "variant": 0}),
    Mutant(the_ids_come_in_another_order, {"another id than the provider's"}, 20),
    Mutant(a_key_is_trusted_for_ever, {TWICE}, 20, CALM | {"mode0": LOST, "gap0": A_DAY, "variant": 0}, black_box=True),
    Mutant(
        every_answer_is_definite,
        {TWICE, DENIED},
        20,
        CALM | {"rounds": 2, "variant": 0, "mode0": LOST, "mode1": THROTTLED, "mode2": 0, "gap0": 2, "gap1": A_DAY},
    ),
    Mutant(what_is_not_proven_is_absent, {TWICE, DENIED}, 20, UNPROVEN | {"records1": 1, "records2": 1}),
    Mutant(records_need_not_be_new, {TWICE, DENIED}, 20, UNPROVEN | {"records1": 4, "records2": 4}),
    Mutant(
        what_was_accepted_late_is_not_found,
        {TWICE},
        20,
        UNPROVEN | {"mode0": 1, "fault:run1": 7, "late:run1": 4, "events0": 0, "records1": 0, "records2": 0},
    ),
    Mutant(
        a_pause_is_not_read_before_a_request,
        {"a request after a committed pause"},
        20,
        CALM
        | {"rounds": 2, "mode0": QUOTA, "events0": 0, "gap0": 2, "mode1": QUOTA, "events1": 1, "event1#0": ORDER}
        | {"order1": 0, "gap1": A_DAY, "mode2": 0, "events2": 0},
    ),
    Mutant(
        who_slept_sends_all_the_same,
        {"a request outside of the lease"},
        180,
        CALM | {"rounds": 0, "users": 0, "events0": 0, "sleeps:run1": 2},
        each="suspend:run1",
    ),
    Mutant(
        who_is_in_flight_may_be_mailed,
        {TWICE},
        60,
        LEAVES_AND_RETURNS | {"variant": 0},
    ),
    Mutant(
        who_enters_in_flight_is_passed_over,
        {UNDECIDED},
        20,
        LEAVES_AND_RETURNS | {"variant": 1},
    ),
    Mutant(a_tick_counts_as_decided_before_it_is, {UNDECIDED}, 40, {"profile": 1, "rounds": 3, "users": 5}),
    Mutant(
        a_pause_counts_as_a_decision,
        {UNDECIDED},
        20,
        CALM | {"rounds": 2, "events0": 1, "event0#0": ORDER, "order0": 0, "events1": 0},
    ),
    Mutant(
        a_cancel_drops_what_may_have_left,
        {DENIED},
        20,
        CALM | {"rounds": 1, "mode0": LOST, "mode1": LOST, "gap0": 1, "events1": 1, "event1#0": ORDER, "order1": 2},
    ),
    Mutant(a_no_is_read_when_deciding_only, {UNHEARD}, 20, NO_MEANWHILE | {"gap0": A_DAY}),
    Mutant(
        a_no_is_not_read_before_a_request,
        {UNHEARD},
        20,
        CALM | {"rounds": 1, "mode0": FATAL, "events0": 0, "gap0": 0, "events1": 1, "event1#0": EDIT, "edit1": 5},
    ),
    Mutant(a_no_is_an_address_s_alone, {UNHEARD}, 20, NO_MEANWHILE | {"gap0": A_DAY}),
    Mutant(
        a_no_to_a_topic_is_not_read_before_a_request,
        {UNHEARD},
        20,
        CALM
        | {"rounds": 1, "mode0": FATAL, "events0": 0, "gap0": 0, "events1": 1, "event1#0": EDIT, "edit1": 5}
        | {"variant": TIPS},
    ),
    Mutant(
        consent_is_asked_when_deciding_only,
        {"mailed long after consent was taken back"},
        60,
        NO_MEANWHILE | {"gap0": A_DAY, "variant": TIPS, "edit0": 7},
    ),
    Mutant(
        receipts_come_after_settling,
        {"the receipts are of other emails than the accepted ones"},
        180,
        CALM | {"rounds": 0, "users": 0, "events0": 0, "mode0": 0},
        each="kill:run1",
    ),
    Mutant(set_is_written_once, {"`set` was not written"}, 10),
)
