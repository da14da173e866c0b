"""A tick decides about the rows that triggered since the last one, and about those that are due again."""

from pathlib import Path

import pytest
from sqlalchemy import Engine
from test_triggers import MINUTE, Shop, make_shop, started

from skene_dagster.delivery import controls
from skene_dagster.store.engine import transaction


@pytest.fixture
def shop(engine: Engine, tmp_path: Path) -> Shop:
    return make_shop(engine, tmp_path)


def decided(shop: Shop) -> dict[str, int]:
    """A minute later: what a tick decides."""
    shop.world.now += MINUTE
    shop.refresh()
    return shop.world.reserve().counts


def paid(shop: Shop, user: int) -> None:
    shop.pay(shop.order(user), user)


def test_rows_are_decided_about_at_the_tick_that_finds_them_and_at_no_other(shop: Shop) -> None:
    started(shop)
    paid(shop, 1)

    assert [decided(shop) for _ in range(2)] == [{"mail": 1}, {}]
    paid(shop, 1)
    assert decided(shop) == {"mail": 1}


def test_a_row_whose_user_may_not_be_mailed_is_due_at_each_tick_until_they_may(shop: Shop) -> None:
    started(shop)
    shop.world.change(1, verified=False)
    paid(shop, 1)
    paid(shop, 2)

    found = [decided(shop) for _ in range(2)]
    shop.world.change(1, verified=True)

    assert found == [{"mail": 1, "deferred:not_mailable": 1}, {"deferred:not_mailable": 1}]
    assert [decided(shop) for _ in range(2)] == [{"mail": 1}, {}]


def test_a_pause_decides_about_no_row_and_passes_none_over(shop: Shop) -> None:
    started(shop)
    transaction(shop.world.engine, lambda connection: controls.pause(connection, "activation", shop.world.now))
    paid(shop, 1)
    held = [decided(shop) for _ in range(2)]
    paid(shop, 2)
    transaction(shop.world.engine, lambda connection: controls.resume(connection, "activation", shop.world.now))

    assert held == [{"deferred:paused": 1}] * 2
    assert decided(shop) == {"mail": 2}


def test_what_a_run_that_died_left_undecided_is_decided_once(shop: Shop) -> None:
    class Died(Exception):
        pass

    def die(_decided: int) -> None:
        raise Died

    started(shop)
    shop.world.change(1, verified=False)
    for user in (1, 2, 3):
        paid(shop, user)
    shop.world.now += MINUTE
    shop.refresh()
    with pytest.raises(Died):
        shop.world.reserve(progress=die, page=2)

    assert shop.world.reserve(page=2).counts == {"decided_before": 1, "mail": 1}
