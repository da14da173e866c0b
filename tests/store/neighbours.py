"""Who lives beside every test: another loop, another step, another mode, with the same users in each.

Nothing that is done for the loop of a test may change their rows or be changed by them; the first is asserted after
each test that has them (see `conftest.py`), the second is what the test itself asserts.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, Table, insert, or_, select

from skene_dagster.store.tables import (
    OPEN,
    account_arms,
    account_decisions,
    account_deferred,
    account_members,
    account_people,
    account_sends,
    account_triggered,
    arms,
    batches,
    controls,
    deferred,
    entitlements,
    pacing,
    receipts,
    segment_members,
    segments,
    sends,
    steps,
    triggered,
)

LOOP = "neighbour"
STEP = "beside"
MODE = "elsewhere"
"""A mode in which no test sends: there they have what reconcile would look at in a test's own."""

LONG_AGO = datetime(2026, 1, 1)
AFTERWARDS = datetime(2026, 1, 15)
FAR_AHEAD = datetime(2100, 1, 1)
CHANNELS = ("live", "outbox", "redirect", MODE)
OURS = ("retention", "activation")
"""What the loops of tests are called: in MODE they have neighbours of their own name, and in STEP of their own mode."""

_SEGMENTS = [f"{LOOP}.main", *(f"{loop}.{STEP}" for loop in OURS)]
_SCOPES = [
    *((mode, LOOP, "main") for mode in CHANNELS),
    *((MODE, loop, step) for loop in OURS for step in ("main", STEP)),
]
"""Whose ledger they have. A step that is gone and had sends would make tests' own look renamed: so STEP has none."""

_THEIRS: dict[Table, ColumnElement[bool]] = {
    segments: segments.c.segment.in_(_SEGMENTS),
    segment_members: segment_members.c.segment.in_(_SEGMENTS),
    sends: or_(sends.c.loop == LOOP, sends.c.mode == MODE),
    receipts: or_(receipts.c.loop == LOOP, receipts.c.mode == MODE),
    steps: or_(steps.c.loop == LOOP, steps.c.mode == MODE),
    deferred: or_(deferred.c.loop == LOOP, deferred.c.mode == MODE),
    batches: or_(batches.c.loop == LOOP, batches.c.mode == MODE),
    triggered: or_(triggered.c.segment == f"{LOOP}.main", triggered.c.mode == MODE),
    controls: or_(controls.c.loop == LOOP, controls.c.step == STEP),
    entitlements: or_(entitlements.c.loop == LOOP, entitlements.c.mode == MODE, entitlements.c.step == STEP),
    pacing: pacing.c.account == LOOP,
    arms: or_(arms.c.loop == LOOP, arms.c.mode == MODE),
    account_arms: or_(account_arms.c.loop == LOOP, account_arms.c.mode == MODE),
    account_people: or_(account_people.c.loop == LOOP, account_people.c.mode == MODE),
    account_members: account_members.c.segment.in_(_SEGMENTS),
    account_deferred: or_(account_deferred.c.loop == LOOP, account_deferred.c.mode == MODE),
    account_decisions: or_(account_decisions.c.loop == LOOP, account_decisions.c.mode == MODE),
    account_sends: or_(account_sends.c.loop == LOOP, account_sends.c.mode == MODE),
    account_triggered: or_(account_triggered.c.segment == f"{LOOP}.main", account_triggered.c.mode == MODE),
}

_READ = {table: select(table).where(theirs).order_by(*table.primary_key) for table, theirs in _THEIRS.items()}

_SCOPE = ("mode", "loop", "step")
_DECIDED = {"reserved_as_of": LONG_AGO, "digest": "theirs", "hold": "paused", "fence": 7}
_COMPARED = [
    dict(zip(("mode", "loop"), scope[:2], strict=True)) | {"draw": 1} for scope in _SCOPES if scope[2] == "main"
]
_HELD_OUT = {"arm": "held_out", "share": 0.5, "enrolled_at": LONG_AGO}
_WAITS = {
    "occurrence": "3",
    "reason": "repeat",
    "detail": "theirs",
    **dict.fromkeys(("as_of", "decided_at", "ask_at"), LONG_AGO),
}

_settled: list[tuple[Engine, dict[Table, list[Row[Any]]]]] = []


def own(table: Table) -> ColumnElement[bool]:
    """The rows of a table that are the test's own, as a condition."""
    return ~_THEIRS[table]


def settle(engine: Engine, users: Sequence[object], accounts: Sequence[object] | None = None) -> None:
    """Let them move in, with the three first of these users, and of these accounts."""
    of_accounts = _of_accounts(users[:3], (users if accounts is None else accounts)[:3])
    with engine.begin() as connection:
        for table, rows in (_rows(users[:3]) | of_accounts).items():
            connection.execute(insert(table), rows)
        _settled.append((engine, _read(connection)))


def assert_left_alone() -> None:
    """Assert that whoever settled has what they had, and let them go."""
    while _settled:
        engine, before = _settled.pop()
        with engine.connect() as connection:
            after = _read(connection)
        for table, rows in before.items():
            assert after[table] == rows, f"{table.name}: what belongs to another loop, step or mode was changed"


def forget() -> None:
    """Let whoever settled go."""
    _settled.clear()


def _read(connection: Connection) -> dict[Table, list[Row[Any]]]:
    return {table: list(connection.execute(read).all()) for table, read in _READ.items()}


def _rows(users: Sequence[object]) -> dict[Table, list[dict[str, object]]]:
    return {
        segments: [
            {
                "segment": segment,
                **dict.fromkeys(("as_of", "first_as_of", "writing_as_of", "refreshed_at"), LONG_AGO),
                "fence": 7,
                "members": len(users),
                "entered": 0,
                "exited": 0,
                "unknown_keys": 0,
            }
            for segment in _SEGMENTS
        ],
        segment_members: [
            {
                "segment": segment,
                "user_id": user,
                "entered_at": LONG_AGO,
                "exited_at": exited_at,
                "exit_reason": None if exited_at == OPEN else "left",
                "attributes": '{"amount": "theirs"}',
            }
            for segment in _SEGMENTS
            for user in users
            for exited_at in (OPEN, AFTERWARDS)
        ],
        sends: [row for scope in _SCOPES for row in _sends(users, *scope)],
        receipts: [row for scope in _SCOPES for row in _receipts(users, *scope)],
        steps: [dict(zip(_SCOPE, scope, strict=True)) | _DECIDED for scope in _SCOPES],
        deferred: [
            dict(zip(_SCOPE, scope, strict=True)) | _WAITS | {"user_id": user} for scope in _SCOPES for user in users
        ],
        batches: [row for scope in _SCOPES for row in _batches(len(users), *scope)],
        triggered: [row | {"user_id": user} for row in _triggered() for user in users],
        # A pause and a cancellation are about all steps of a loop, an approval is about one.
        controls: [
            {"loop": loop, "step": step, "paused_at": paused, "cancelled_at": cancelled, "approved_at": approved}
            for loop, step, paused, cancelled, approved in (
                (LOOP, "*", LONG_AGO, FAR_AHEAD, None),
                *((loop, STEP, None, None, LONG_AGO) for loop in OURS),
            )
        ],
        entitlements: [
            {
                "mode": mode,
                "user_id": user,
                "loop": loop,
                "step": step,
                "lifted_at": lifted_at,
                "blocked_at": LONG_AGO,
                "message": "theirs",
            }
            for mode, loop, step in (*_SCOPES, *(("outbox", loop, STEP) for loop in OURS))
            for user in users
            for lifted_at in (OPEN, FAR_AHEAD)
        ],
        arms: [compared | _HELD_OUT | {"user_id": user} for compared in _COMPARED for user in users],
        pacing: [{"account": LOOP, "per_second": 2.0, "next_at": FAR_AHEAD, "closed_until": None, "reason": None}],
    }


def _triggered() -> list[dict[str, object]]:
    found = {"occurrence": "1", "triggered_at": FAR_AHEAD, "entered_at": FAR_AHEAD}
    segments = ((MODE, "activation.main"), ("outbox", f"{LOOP}.main"), ("live", f"{LOOP}.main"))
    return [
        {"mode": mode, "segment": segment, "attributes": '{"amount": "theirs"}'} | found for mode, segment in segments
    ]


def _of_accounts(users: Sequence[object], accounts: Sequence[object]) -> dict[Table, list[dict[str, object]]]:
    scopes = [dict(zip(_SCOPE, scope, strict=True)) for scope in _SCOPES]
    decided = {"occurrence": "1", "state": "mailed", "as_of": LONG_AGO, "decided_at": LONG_AGO}
    return {
        account_members: [
            {"segment": segment, "account_id": account, "entered_at": LONG_AGO, "exited_at": exited_at}
            for segment in _SEGMENTS
            for account in accounts
            for exited_at in (OPEN, AFTERWARDS)
        ],
        account_deferred: [scope | _WAITS | {"account_id": account} for scope in scopes for account in accounts],
        account_decisions: [scope | decided | {"account_id": account} for scope in scopes for account in accounts],
        account_arms: [one | _HELD_OUT | {"account_id": account} for one in _COMPARED for account in accounts],
        account_people: [
            one | {"user_id": user, "account_id": account}
            for one in _COMPARED
            for user, account in zip(users, accounts, strict=True)
        ],
        account_triggered: [row | {"account_id": account} for row in _triggered() for account in accounts],
        account_sends: [
            scope | {"user_id": user, "send_occurrence": "1@theirs", "account_id": account, "occurrence": "1"}
            for scope in scopes
            for user, account in zip(users, accounts, strict=True)
        ],
    }


def _sends(users: Sequence[object], mode: str, loop: str, step: str) -> list[dict[str, object]]:
    """Two of each user: one was accepted, the other is on its way."""
    scope = {"mode": mode, "loop": loop, "step": step}
    when = {"as_of": LONG_AGO, "decided_at": LONG_AGO}
    return [
        scope
        | when
        | {
            "user_id": user,
            "occurrence": str(occurrence),
            "send_id": _identity(*scope.values(), f"send-{position}-{occurrence}"),
            "state": state,
            "batch_id": _identity(*scope.values(), "open" if state == "reserved" else "done"),
            "position": position,
        }
        for position, user in enumerate(users)
        for occurrence, state in ((1, "accepted"), (2, "reserved"))
    ]


def _receipts(users: Sequence[object], mode: str, loop: str, step: str) -> list[dict[str, object]]:
    """Of what was accepted, nothing has come back."""
    return [
        {
            **{name: send[name] for name in (*_SCOPE, "user_id", "send_id")},
            "provider_id": f"theirs-{send['send_id']}",
            "recipient": "theirs",
            "accepted_at": LONG_AGO,
        }
        for send in _sends(users, mode, loop, step)
        if send["state"] == "accepted"
    ]


def _batches(size: int, mode: str, loop: str, step: str) -> list[dict[str, object]]:
    """One that is done, and an open one: of a mode of their own, such that everything there is would look at it."""
    scope = {"mode": mode, "loop": loop, "step": step, "size": size}
    when = dict.fromkeys(("as_of", "reserved_at", "due_at"), LONG_AGO)
    nothing = {"attempts": 0, **dict.fromkeys(("unresolved_since", "last_attempt_at", "first_attempt_at"))}
    unresolved = {"attempts": 1, "unresolved_since": LONG_AGO, "last_attempt_at": LONG_AGO}
    of_it = {"state": "in_doubt", **unresolved, "first_attempt_at": LONG_AGO} if mode == MODE else nothing
    return [
        {**scope, **when, **nothing, "batch_id": _identity(mode, loop, step, "done"), "state": "settled"},
        {**scope, **when, "state": "reserved", **of_it, "batch_id": _identity(mode, loop, step, "open")},
    ]


@cache
def _identity(*parts: object) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, parts))).hex
