"""The judge is judged: each way to make the product wrong is noticed, within so many histories."""

from collections.abc import Iterator

import pytest
from history import play
from mutants import MUTANTS, Mutant
from oracle import KNOWN
from product import Product, product


@pytest.fixture(scope="module")
def made() -> Iterator[Product]:
    with product() as one:
        yield one


@pytest.mark.parametrize("mutant", [pytest.param(one, id=one.apply.__name__.replace("_", " ")) for one in MUTANTS])
def test_it_is_noticed(made: Product, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.apply(monkeypatch)

    for seed in range(mutant.first, mutant.first + mutant.within):
        violation = play(
            made,
            seed=seed,
            given=mutant.given,
            excused=frozenset(KNOWN) - mutant.kinds,
            looks_inside=mutant.looks_inside,
        ).violation
        if violation is not None and violation.kind in mutant.kinds:
            return

    pytest.fail(f"{mutant.apply.__doc__} Nobody notices within {mutant.within} histories.")
