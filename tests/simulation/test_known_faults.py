"""Faults that are known and not mended yet: the shortest history of each. Who mends one takes it out of `KNOWN`."""

from collections.abc import Iterator

import pytest
from choices import Made
from history import play
from oracle import KNOWN
from product import Product, product

HISTORIES: dict[str, Made] = {
    # An email waits for the quota while the only member leaves.
    "mailed long after they left": {"mode0#0": 4, "events0#0": 1, "event0#0": 3},
    # The same, of one who may not be mailed any more.
    "mailed long after a no": {"mode0#0": 4, "events0#0": 1, "event0#0": 3, "edit0#0": 1},
    # A user enters between two ticks; the refresh of the second commits while the first decides about its page.
    "mailed twice for one entry": (
        {"late locks#0": 1, "variant#0": 1, "outside:1#0": 1, "events0#0": 2, "event0#1": 3}
        | {"turn:run1#7": 2, "turn:run1#9": 1, "turn:run2#1": 1, "turn:run1#14": 1, "turn:run2#17": 1}
    ),
}


@pytest.fixture(scope="module")
def made() -> Iterator[Product]:
    with product() as one:
        yield one


def test_each_known_fault_has_a_history() -> None:
    assert HISTORIES.keys() == KNOWN.keys()


def known(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(raises=AssertionError, strict=True, reason=KNOWN[kind])


@pytest.mark.parametrize("kind", [pytest.param(one, marks=known(one)) for one in KNOWN])
def test_a_history_that_is_known_to_go_wrong_goes_well(made: Product, kind: str) -> None:
    violation = play(made, script=HISTORIES[kind], excused=frozenset(KNOWN) - {kind}).violation

    assert violation is None, violation.kind
