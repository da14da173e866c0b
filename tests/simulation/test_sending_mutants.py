"""The judge is judged: each way to make the product wrong is noticed, within so many histories."""

import re
from collections.abc import Iterator

import account_mutants
import comparing_mutants
import convictions
import erasing_mutants
import gate_mutants
import limit_mutants
import pytest
import sharing_mutants
from history import play
from product import Product, product
from sending_mutants import AGAIN, CALM, MUTANTS, Mutant
from sqlalchemy import Connection

from skene_dagster.delivery import ledger

OTHERS = (limit_mutants, sharing_mutants, account_mutants, erasing_mutants, gate_mutants, comparing_mutants)
EVERY = (*MUTANTS, *(one for others in OTHERS for one in others.MUTANTS))


@pytest.fixture(scope="module")
def made() -> Iterator[Product]:
    with product() as one:
        yield one


@pytest.mark.parametrize("mutant", [pytest.param(one, id=one.apply.__name__.replace("_", " ")) for one in EVERY])
def test_it_is_noticed(made: Product, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.apply(monkeypatch)

    for seed in (convictions.FIRST.get(mutant.apply.__name__, 0), *range(mutant.within)):
        violation = play(
            made,
            seed=seed,
            given={**mutant.given, mutant.each: seed},
            looks_inside=not mutant.black_box,
        ).violation
        if violation is not None and violation.kind in mutant.kinds:
            return

    pytest.fail(f"{mutant.apply.__doc__} Nobody notices within {mutant.within} histories.")


def test_the_history_that_is_played_first_is_one_of_those_within_which_a_mutant_must_be_noticed() -> None:
    within = {one.apply.__name__: one.within for one in EVERY}

    assert [name for name, seed in convictions.FIRST.items() if not 0 < seed < within.get(name, 0)] == []


def test_it_is_noticed_that_the_ledger_has_no_unique_key(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where one run at a time decides about a step, the key is only needed by who gets around that.
    monkeypatch.setattr(ledger, "lock", lambda _connection, _scope: None)
    two_at_once = CALM | {"late locks": 1, "switching": 0, "variant": 0, "users": 1, "events0": 1, "event0": AGAIN}
    with product() as made:
        with made.database.eyes.begin() as connection:
            _without_its_key(connection, "skene_sends")
        made.database.keep()

        violations = (play(made, seed=seed, given=two_at_once).violation for seed in range(20))
        assert any(one is not None and one.kind == "mailed twice" for one in violations)


def _without_its_key(connection: Connection, name: str) -> None:
    made: str = connection.exec_driver_sql(f"SELECT sql FROM sqlite_master WHERE name = '{name}'").scalar_one()
    without = re.sub(r",\s*(CONSTRAINT \w+ )?PRIMARY KEY \([^)]*\)", "", made)
    assert without != made
    connection.exec_driver_sql(f"DROP TABLE {name}")
    connection.exec_driver_sql(without)
