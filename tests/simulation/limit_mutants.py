"""How often, and when: what caps, hours and slices promise, broken on purpose. See `sending_mutants`."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sending_mutants import A_DAY, CALM, EDIT, QUOTA, RETAIN, THROTTLED, UNHEARD, Mutant
from sqlalchemy import Connection

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.controls import EVERY, Orders
from skene_dagster.delivery.decide import addressees, caps, eligibility, first_wave, reserve, send_audience, tick
from skene_dagster.delivery.decide.caps import Room
from skene_dagster.delivery.decide.slices import Slices
from skene_dagster.delivery.ledger import sending
from skene_dagster.delivery.model import Contact
from skene_dagster.delivery.send import freeze
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.feedback import breaker, reading
from skene_dagster.settings import Cap
from skene_dagster.store.sweeping import Swept

TOO_OFTEN = "mailed more often than a cap allows"
QUIET = "mailed in their quiet hours"
TOO_SOON = "mailed before the time of day that was said"
AT_ONCE = "more leave at once than a slice has"
PAUSED = "a request after a committed pause"
FOR_EVER = "put off for ever"
FORGOTTEN = "decided, and forgotten"


def caps_forget_what_is_in_flight(patch: pytest.MonkeyPatch) -> None:
    """A cap counts only what has left."""
    real = caps.full

    def full(limits: Sequence[Cap], known: Sequence[Contact], planned: datetime) -> Room | None:
        return real(limits, [one for one in known if one.at is not None], planned)

    patch.setattr(addressees, "full", full)


def _contacts(patch: pytest.MonkeyPatch, counts: Callable[[Contact, ledger.StepScope, datetime], bool]) -> None:
    real = ledger.contacts_of

    def contacts_of(
        connection: Connection, scope: ledger.StepScope, names: Collection[str], *, as_of: datetime, since: datetime
    ) -> dict[str, list[Contact]]:
        found = real(connection, scope, names, as_of=as_of, since=since)
        return {name: [one for one in many if counts(one, scope, as_of)] for name, many in found.items()}

    patch.setattr(ledger, "contacts_of", contacts_of)


def a_cap_is_each_loop_s_own(patch: pytest.MonkeyPatch) -> None:
    """A cap counts the emails of the loop that asks, not those of all."""
    _contacts(patch, lambda one, scope, _: one.loop == scope.loop)


def pages_of_two_loops_decide_at_once(patch: pytest.MonkeyPatch) -> None:
    """Nothing keeps a page from reading what a cap counts while another loop's page changes it."""
    # The lock of a step's row is on SQLite one of everything.
    patch.setattr(ledger, "lock", lambda _connection, _scope: None)


def contacts_are_forgotten_too_early(patch: pytest.MonkeyPatch) -> None:
    """What a cap still counts is deleted, if it is older than a month."""
    real = ledger.forget_contacts

    def forget(connection: Connection, *, before: datetime, since: datetime | None, size: int) -> Swept:
        return real(connection, before=before + timedelta(days=10), since=since, size=size)

    patch.setattr(ledger, "forget_contacts", forget)


def an_address_is_not_asked_again(patch: pytest.MonkeyPatch) -> None:
    """Who has another address by now than the one that a cap has counted is mailed all the same."""
    patch.setattr(ledger, "decided_recipients", lambda *_: {})


def who_waits_for_room_waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Whom a cap has put off is not decided again."""
    real = eligibility.decide

    def decide(*arguments: Any) -> eligibility.Decision:
        decision = real(*arguments)
        if isinstance(decision, eligibility.Defer) and decision.reason == "cap":
            return replace(decision, ask_at=datetime(2100, 1, 1))
        return decision

    patch.setattr(send_audience, "decide", decide)


def an_address_is_known_within_a_page_only(patch: pytest.MonkeyPatch) -> None:
    """Who shares an address with somebody of the page before is mailed as well."""
    _contacts(patch, lambda one, scope, as_of: (one.loop, one.as_of) != (scope.loop, as_of))


def quiet_hours_are_asked_when_deciding_only(patch: pytest.MonkeyPatch) -> None:
    """Whose quiet hours begin while their email waits is mailed."""
    patch.setattr(freeze._Checks, "_quiet_until", lambda *_: None)


def everybody_lives_by_the_loop_s_clock(patch: pytest.MonkeyPatch) -> None:
    """Nobody's own time zone is looked at."""
    for module in (addressees, freeze):
        patch.setattr(module, "zone_of", lambda _person, _settings, zone: zone)


def no_email_waits_for_its_hour(patch: pytest.MonkeyPatch) -> None:
    """What is decided leaves at once."""
    patch.setattr(addressees, "leaves_at", lambda *_: None)


def who_is_in_quiet_hours_is_lost(patch: pytest.MonkeyPatch) -> None:
    """Whose quiet hours had begun before their email was made is in no batch any more."""
    patch.setattr(sending, "leave_later", lambda *_: None)


def slices_begin_anew_on_each_page(patch: pytest.MonkeyPatch) -> None:
    """A page knows nothing of the emails that those before it have decided."""
    patch.setattr(tick, "replace", lambda wave: Slices(wave.begins))


def a_wave_leaves_at_once(patch: pytest.MonkeyPatch) -> None:
    """No wave is large."""
    patch.setattr(first_wave, "slices", lambda *_: None)


def what_comes_back_pauses_its_own_loop_only(patch: pytest.MonkeyPatch) -> None:
    """All loops together are not judged."""
    real = breaker.judgements
    patch.setattr(breaker, "judgements", lambda *args: [one for one in real(*args) if one.loop != EVERY])


def only_people_pause(patch: pytest.MonkeyPatch) -> None:
    """A pause because of what came back holds up nothing."""
    real = controls.orders

    def orders(connection: Connection, loop: str, step: str) -> Orders:
        found = real(connection, loop, step)
        return found if found.paused_because is None else replace(found, paused_as=(), paused_because=None)

    patch.setattr(controls, "orders", orders)


def a_complaint_suppresses_nobody(patch: pytest.MonkeyPatch) -> None:
    """Who complained is mailed again once the pause is over."""
    patch.setattr(reading, "suppress", lambda *_: [])


def a_tick_decides_before_the_files_are_read(patch: pytest.MonkeyPatch) -> None:
    """A "no" that waits in a file is written to the database after everybody was decided about."""
    patch.setattr(reserve, "drain", lambda *_: 0)


def a_file_is_not_read_before_a_request(patch: pytest.MonkeyPatch) -> None:
    """A "no" that waits in a file stops what is still to be decided, and nothing else."""
    patch.setattr(DeliverySession, "hear", lambda _session: None)


ONE_IN_TWO_DAYS, ONE_IN_FORTY_DAYS = 1, 3
"""Limits."""

THREE_DAYS, A_MONTH = 7, 8
"""Gaps between two rounds."""

TOLD, HEAR = 11, 12
"""Events of a round."""

SAYS_NO = 9
"""An edit: it waits in a file."""

QUIET_AT_NIGHT, QUIET_IN_THE_DAY, AT_TEN, SLICED = 4, 5, 6, 8
"""Limits, too."""

AN_HOUR = 4
"""A gap between two rounds."""

CAPPED = CALM | {"limits": ONE_IN_TWO_DAYS}

MOVES = {
    "rounds": 2,
    "mode0": QUOTA,
    "gap0": 2,
    "mode1": QUOTA,
    "events1": 2,
    "event1": EDIT,
    "edit1": 2,
    "gap1": A_DAY,
}
"""Users get another address while their email waits for the quota."""

SHARED = CALM | {"limits": 0, "sharing": 1, "users": 5, "page": 1}
"""Users share an address, on different pages."""

HELD_UP = CALM | {"limits": QUIET_IN_THE_DAY} | {"rounds": 1, "mode0": QUOTA, "events0": 0, "gap0": AN_HOUR, "mode1": 0}
"""Emails wait for the quota until the quiet hours have begun."""

SLICES = CALM | {"limits": SLICED, "users": 7, "page": 1}

COMPLAINED = (
    CAPPED
    | {"mode0": 0, "events0": 0, "gap0": 2, "mode1": 0, "mode2": 0, "events2": 0}
    | {"rounds": 2, "events1": 2, "event1#0": TOLD, "event1#1": HEAR, "gap1": THREE_DAYS}
)
"""Somebody complains of an email; three days later another loop's is due."""

MUTANTS = (
    Mutant(caps_forget_what_is_in_flight, {TOO_OFTEN}, 20, CAPPED),
    Mutant(a_cap_is_each_loop_s_own, {TOO_OFTEN}, 20, CAPPED),
    Mutant(pages_of_two_loops_decide_at_once, {TOO_OFTEN}, 20, CAPPED | {"late locks": 1, "switching": 0}),
    Mutant(
        contacts_are_forgotten_too_early,
        {TOO_OFTEN},
        20,
        CALM
        | {"limits": ONE_IN_FORTY_DAYS, "rounds": 1, "gap0": A_MONTH}
        | {"events0": 0, "events1": 1, "event1": RETAIN, "mode0": 0, "mode1": 0},
    ),
    Mutant(an_address_is_not_asked_again, {TOO_OFTEN}, 20, CAPPED | MOVES | {"mode2": 0, "events2": 0}),
    Mutant(who_waits_for_room_waits_for_ever, {FOR_EVER}, 20, CAPPED),
    Mutant(
        quiet_hours_are_asked_when_deciding_only,
        {QUIET},
        20,
        HELD_UP,
    ),
    Mutant(everybody_lives_by_the_loop_s_clock, {QUIET}, 20, CALM | {"limits": QUIET_AT_NIGHT}),
    Mutant(no_email_waits_for_its_hour, {TOO_SOON}, 20, CALM | {"limits": AT_TEN}),
    Mutant(
        who_is_in_quiet_hours_is_lost,
        {FORGOTTEN},
        20,
        HELD_UP,
    ),
    Mutant(slices_begin_anew_on_each_page, {AT_ONCE}, 20, SLICES),
    Mutant(a_wave_leaves_at_once, {AT_ONCE}, 20, SLICES),
    Mutant(an_address_is_known_within_a_page_only, {"one address is mailed twice at a tick"}, 20, SHARED),
    Mutant(what_comes_back_pauses_its_own_loop_only, {PAUSED}, 20, COMPLAINED),
    Mutant(only_people_pause, {PAUSED}, 20, COMPLAINED),
    Mutant(a_complaint_suppresses_nobody, {UNHEARD}, 20, COMPLAINED),
    Mutant(
        a_tick_decides_before_the_files_are_read,
        {"decided in spite of a no that waits in a file"},
        20,
        CALM | {"outside": 1, "rounds": 0, "events0": 2, "event0": EDIT, "edit0": SAYS_NO, "users": 7},
    ),
    Mutant(
        a_file_is_not_read_before_a_request,
        {"a request after a no that waits in a file"},
        20,
        CALM
        | {"rounds": 0, "mode0": THROTTLED, "after:run1": 1, "late locks": 0, "switching": 2, "next": 0}
        | {"events0": 3, "event0": EDIT, "edit0": SAYS_NO},
    ),
)
