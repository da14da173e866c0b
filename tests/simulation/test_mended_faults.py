"""Faults that the simulation found and that are mended: the shortest histories of each, which chance seldom draws."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from choices import Made
from history import play
from product import Product, product
from sqlalchemy import Connection, or_, select

from skene_dagster.delivery import ledger
from skene_dagster.delivery.email.message import origin
from skene_dagster.delivery.model import Batch
from skene_dagster.delivery.send import attempt, freeze
from skene_dagster.segments import members
from skene_dagster.store.tables import batches, sends


@dataclass(frozen=True)
class Mended:
    """What went wrong, how, and what makes it go wrong again."""

    kind: str
    undo: Callable[[pytest.MonkeyPatch], None]
    histories: list[Made]


def a_page_has_who_entered_later(patch: pytest.MonkeyPatch) -> None:
    page = members.page

    def all_of_them(*arguments: Any, as_of: datetime, **more: Any) -> Any:
        return page(*arguments, as_of=as_of + timedelta(days=365), **more)

    patch.setattr(members, "page", all_of_them)
    # A server's lock of the step's row lets a refresh go on; SQLite's is one of everything.
    patch.setattr(ledger, "lock", lambda _connection, _scope: None)


def what_was_frozen_once_is_never_asked_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attempt, "_is_stale", lambda _batch, _now: False)


def a_no_is_not_read_before_a_request(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attempt, "_is_suppressed", lambda *_: False)


def every_attempt_counts_as_an_email_that_left(patch: pytest.MonkeyPatch) -> None:
    known = ledger.known

    def wrong(connection: Connection, emails: Mapping[str, str]) -> set[str]:
        attempted = or_(batches.c.attempts > 0, batches.c.state == "split")
        query = select(batches.c.batch_id).where(batches.c.batch_id.in_(set(emails.values())), attempted)
        found = set(connection.execute(query).scalars())
        return known(connection, emails) | {send_id for send_id, batch in emails.items() if batch in found}

    patch.setattr(ledger, "known", wrong)


def a_part_of_a_batch_is_tagged_as_the_whole(patch: pytest.MonkeyPatch) -> None:
    split = ledger.split
    wholes: dict[str, str] = {}

    def remembers(connection: Connection, parent: Batch, parts: Sequence[Sequence[str]], now: datetime) -> list[str]:
        children = split(connection, parent, parts, now)
        wholes.update(dict.fromkeys(children, wholes.get(parent.batch_id, parent.batch_id)))
        return children

    def tagged(mine: str, batch_id: str) -> str:
        return origin(mine, wholes.get(batch_id, batch_id))

    patch.setattr(ledger, "split", remembers)
    patch.setattr(freeze, "origin", tagged)


def what_may_have_left_by_any_batch_is_known(patch: pytest.MonkeyPatch) -> None:
    known = ledger.known

    def wrong(connection: Connection, emails: Mapping[str, str]) -> set[str]:
        attempted = batches.c.unresolved_since.is_not(None)
        query = select(sends.c.send_id).join(batches, batches.c.batch_id == sends.c.batch_id)
        found = connection.execute(query.where(sends.c.send_id.in_(emails), attempted)).scalars()
        return known(connection, emails) | set(found)

    patch.setattr(ledger, "known", wrong)


MENDED = [
    Mended(
        # An email waits for the quota while the only member leaves.
        "mailed long after they left",
        what_was_frozen_once_is_never_asked_again,
        [{"mode0#0": 4, "events0#0": 1, "event0#0": 3}],
    ),
    Mended(
        # The same, of one who may not be mailed any more.
        "mailed long after a no",
        what_was_frozen_once_is_never_asked_again,
        [{"mode0#0": 4, "events0#0": 1, "event0#0": 3, "edit0#0": 1}],
    ),
    Mended(
        # The only user says no between the freeze of their email and the first attempt to send it.
        "a request after a committed no",
        a_no_is_not_read_before_a_request,
        [{"events0#0": 1, "event0#0": 3, "edit0#0": 5}],
    ),
    Mended(
        # A batch is refused with its API key before the backup, and accepted after it: a day before the ledger is
        # restored, so that its own key is forgotten; or in parts, for one of the two addresses is bad.
        "mailed twice by a ledger from a backup",
        every_attempt_counts_as_an_email_that_left,
        [
            {"rounds#0": 2, "mode0#0": 7, "backup0#0": 1, "restore2#0": 1} | more
            for more in ({"gap1#0": 6}, {"users#0": 1, "bad:1#0": 1})
        ],
    ),
    Mended(
        # A user enters between two ticks; the refresh of the second commits while the first decides about its page,
        # which is at one of these turns.
        "mailed twice for one entry",
        a_page_has_who_entered_later,
        [
            {"late locks#0": 1, "variant#0": 1, "outside:1#0": 1, "events0#0": 2, "event0#1": 3}
            | {f"turn:run1#{turn - 1}": 2, f"turn:run1#{turn}": 1, "turn:run2#2": 1}
            for turn in range(2, 45)
        ],
    ),
    Mended(
        # A batch is cut up for its bad address, and the rest is accepted without an answer. A day later its author
        # takes the risk of a second email; by then the user has no name any more, so it is deferred.
        "waits although it could go on",
        a_part_of_a_batch_is_tagged_as_the_whole,
        [
            {"variant#0": 2, "users#0": 1, "rounds#0": 1, "mode0#0": 5, "events0#0": 3, "event0#1": 1, "event0#2": 3}
            | {"event0#3": 1, "edit0#0": 4, "gap0#0": 5, "records1#0": 1, "events1#0": 5, "event1#4": 3, "user1#0": 1}
            | {"edit1#0": 3, "turn:run4#0": 3, "turn:run3#5": 4}
        ],
    ),
    Mended(
        # A batch that never arrived is made anew after the backup, and cut up for its bad address.
        "mailed twice within a key's life",
        what_may_have_left_by_any_batch_is_known,
        [
            {"variant#0": 2, "users#0": 1, "rounds#0": 2, "mode0#0": 2, "backup0#0": 1, "gap0#0": 5, "events1#0": 1}
            | {"event1#0": 3, "edit1#0": 4, "restore2#0": 1}
        ],
    ),
]

each_of_them = pytest.mark.parametrize("mended", [pytest.param(one, id=one.kind) for one in MENDED])


@pytest.fixture(scope="module")
def made() -> Iterator[Product]:
    with product() as one:
        yield one


@each_of_them
def test_its_histories_go_well(made: Product, mended: Mended) -> None:
    played = [play(made, script=script) for script in mended.histories]

    assert [str(one.violation) for one in played if one.violation] == []


@each_of_them
def test_they_go_wrong_once_the_mending_is_undone(
    made: Product, mended: Mended, monkeypatch: pytest.MonkeyPatch
) -> None:
    mended.undo(monkeypatch)

    played = [play(made, script=script) for script in mended.histories]

    assert mended.kind in [one.violation.kind for one in played if one.violation]
