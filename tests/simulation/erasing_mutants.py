"""What is promised of whom a person erases, broken on purpose. See `sending_mutants`."""

import erasing
import pytest
from sending_mutants import A_DAY, A_KEYS_LIFE, CALM, FATAL, LOST, QUOTA, Mutant

from skene_dagster.delivery.ledger import erasing as ledger_erasing
from skene_dagster.erasing import erase as erase_module
from skene_dagster.erasing.person import BY_USER
from skene_dagster.erasing.waiting import WentOn
from skene_dagster.store.tables import receipts, segment_members

LEFT = "something is left of an erased person"
MAILED = "an erased person is mailed"


def a_table_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The history of segments still has them."""
    patch.setattr(erase_module, "BY_USER", tuple(table for table in BY_USER if table is not segment_members))


def what_became_of_their_emails_stays(patch: pytest.MonkeyPatch) -> None:
    """The receipts of their emails stay."""
    patch.setattr(erase_module, "BY_USER", tuple(table for table in BY_USER if table is not receipts))
    patch.setattr(erase_module, "forget_by_send", lambda _engine, _some: {})


def a_batch_goes_on_as_it_was(patch: pytest.MonkeyPatch) -> None:
    """Bytes that hold an email to them, and that the provider has not, are used."""
    real = ledger_erasing._locked
    patch.setattr(ledger_erasing, "_locked", lambda connection, some: (real(connection, some)[0], []))


def what_had_to_wait_waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Nobody finishes an erasure."""
    patch.setattr(erasing, "go_on", lambda *_: WentOn(0, 0))


def their_key_stays_with_their_sends(patch: pytest.MonkeyPatch) -> None:
    """A send keeps its id, which is made of their key."""
    real = ledger_erasing._rename
    patch.setattr(
        ledger_erasing,
        "_rename",
        lambda connection, some, user_id, _new: real(connection, some, user_id, {}),
    )


ERASED = CALM | {"late locks": 0, "rounds": 1, "mode0": 0, "events0": 0, "gap0": A_DAY, "erase1": 1, "events1": 0}
"""Somebody is erased a day after they were mailed."""

MUTANTS = (
    Mutant(a_table_is_forgotten, {LEFT}, 10, ERASED),
    Mutant(what_became_of_their_emails_stays, {LEFT}, 10, ERASED),
    Mutant(their_key_stays_with_their_sends, {LEFT}, 10, ERASED),
    Mutant(
        a_batch_goes_on_as_it_was,
        {MAILED, LEFT},
        10,
        ERASED | {"mode0": FATAL, "mode1": QUOTA, "gap0": 0},
    ),
    Mutant(
        what_had_to_wait_waits_for_ever,
        {LEFT},
        20,
        ERASED | {"mode0": LOST, "mode1": LOST, "gap0": 0, "gap1": A_KEYS_LIFE, "records1": 1, "variant": 0},
    ),
)
