"""Faults that are known and not mended yet: the shortest histories of each. Who mends one takes it out of `KNOWN`."""

from collections.abc import Iterator

import pytest
from choices import Made
from history import play
from oracle import KNOWN
from product import Product, product

HISTORIES: dict[str, list[Made]] = {
    # An email waits for the quota while the only member leaves.
    "mailed long after they left": [{"mode0#0": 4, "events0#0": 1, "event0#0": 3}],
    # The same, of one who may not be mailed any more.
    "mailed long after a no": [{"mode0#0": 4, "events0#0": 1, "event0#0": 3, "edit0#0": 1}],
    # A batch is throttled before the backup, and accepted after it: a day before the ledger is restored, so that its
    # key is forgotten; or in parts, for one of the two addresses is bad.
    "mailed twice by a ledger from a backup": [
        {"rounds#0": 2, "mode0#0": 6, "backup0#0": 1, "gap0#0": 3, "restore2#0": 1} | more
        for more in ({"gap1#0": 6}, {"users#0": 1, "bad:1#0": 1})
    ],
    # A user enters between two ticks; the refresh of the second commits while the first decides about its page,
    # which is at one of these turns.
    "mailed twice for one entry": [
        {"late locks#0": 1, "variant#0": 1, "outside:1#0": 1, "events0#0": 2, "event0#1": 3}
        | {f"turn:run1#{turn - 1}": 2, f"turn:run1#{turn}": 1, "turn:run2#2": 1}
        for turn in range(2, 30)
    ],
}


@pytest.fixture(scope="module")
def made() -> Iterator[Product]:
    with product() as one:
        yield one


def test_each_known_fault_has_its_histories() -> None:
    assert HISTORIES.keys() == KNOWN.keys()


def known(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(raises=AssertionError, strict=True, reason=KNOWN[kind])


@pytest.mark.parametrize("kind", [pytest.param(one, marks=known(one)) for one in KNOWN])
def test_histories_that_are_known_to_go_wrong_go_well(made: Product, kind: str) -> None:
    played = [play(made, script=script, excused=frozenset(KNOWN) - {kind}) for script in HISTORIES[kind]]

    assert [str(one.violation) for one in played if one.violation] == []
