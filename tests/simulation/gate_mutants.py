"""What gates promise, broken on purpose. See `sending_mutants`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sending_mutants import A_DAY, CALM, ORDER, UNDECIDED, Mutant
from sqlalchemy import Connection
from world import OF_GATES, ORDERS

from skene_dagster.delivery import ledger
from skene_dagster.delivery.controls import Orders
from skene_dagster.delivery.decide.gates import judging, looking
from skene_dagster.delivery.decide.gates.judging import Gate
from skene_dagster.delivery.model import GateName, HoldReason

SHUT = "decided behind a shut gate"
LARGE = "a large first wave that nobody has approved"


def a_table_may_be_old(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks when a table has changed."""
    real = judging.fresh
    patch.setattr(judging, "fresh", lambda *arguments: replace(real(*arguments), why=""))


def who_accepted_once_has_accepted_for_ever(patch: pytest.MonkeyPatch) -> None:
    """The tick after the accepted one passes, too."""
    real, names = looking.is_let_through, set[str]()

    def is_let_through(gate: Gate, orders: Orders, accepted: frozenset[str]) -> bool:
        names.update(accepted)
        return real(gate, orders, frozenset(names))

    patch.setattr(looking, "is_let_through", is_let_through)


def nobody_approves(patch: pytest.MonkeyPatch) -> None:
    """A loop's first emails leave, however many they are."""
    real = judging.first_wave
    patch.setattr(judging, "first_wave", lambda *arguments: replace(real(*arguments), why=""))


def a_gate_counts_as_a_decision(patch: pytest.MonkeyPatch) -> None:
    """Whom a gate holds is passed over when it opens."""
    real = ledger.hold

    def hold(
        connection: Connection,
        scope: ledger.StepScope,
        reason: HoldReason,
        since: datetime | None,
        said: Mapping[GateName, str],
    ) -> None:
        real(connection, scope, reason, since, said)
        if said:
            ledger.complete(connection, scope, datetime(2027, 1, 1), since)

    patch.setattr(ledger, "hold", hold)


GATES = 15
"""Limits."""

_ORDERS = ORDERS + OF_GATES * 2
ACCEPT, APPROVE = _ORDERS.index("accept"), _ORDERS.index("approve")

NOT_LOADED: dict[str, Any] = (
    CALM
    | {"limits": GATES, "users": 7, "outside": 0, "rounds": 1, "mode0": 0, "mode1": 0, "switching": 2}
    | {"events0": 1, "event0": ORDER, "order0": APPROVE, "gap0": 7, "events1": 0}
)
"""The first wave is approved, maybe too late for its tick; three days later nothing was loaded."""

MUTANTS = (
    Mutant(a_table_may_be_old, {SHUT}, 20, NOT_LOADED),
    Mutant(
        who_accepted_once_has_accepted_for_ever,
        {SHUT},
        60,
        NOT_LOADED
        | {"rounds": 4, "events0": 3, "events1": 3, "event1": ORDER, "order1": ACCEPT, "gap1": A_DAY, "gap2": A_DAY}
        | {"event2": 3, "edit2": 0, "events2": 3, "event3": 3, "edit3": 0, "events3": 3, "gap3": A_DAY}
        | {"mode2": 0, "mode3": 0, "mode4": 0, "outside": 1},
    ),
    Mutant(nobody_approves, {LARGE}, 10, NOT_LOADED | {"events0": 0}),
    Mutant(a_gate_counts_as_a_decision, {UNDECIDED}, 10, NOT_LOADED | {"events0": 0}),
)
