"""Faults that the simulation found and that are mended: the shortest histories of each, which chance seldom draws."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from choices import Made
from history import play
from product import Product, product
from sqlalchemy import Connection, or_, select

from skene_dagster.delivery import ledger
from skene_dagster.delivery.send import attempt
from skene_dagster.segments import members
from skene_dagster.store.tables import batches


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


def every_attempt_counts_as_an_email_that_left(patch: pytest.MonkeyPatch) -> None:
    known = ledger.known

    def wrong(connection: Connection, emails: Mapping[str, str]) -> set[str]:
        attempted = or_(batches.c.attempts > 0, batches.c.state == "split")
        query = select(batches.c.batch_id).where(batches.c.batch_id.in_(set(emails.values())), attempted)
        found = set(connection.execute(query).scalars())
        return known(connection, emails) | {send_id for send_id, batch in emails.items() if batch in found}

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
            for turn in range(2, 30)
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
