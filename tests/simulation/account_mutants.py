"""What loops about accounts promise, broken on purpose. See `sending_mutants`."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import pytest
from sending_mutants import A_DAY, CALM, EDIT, QUOTA, UNHEARD, Mutant
from sqlalchemy import Connection, update
from world import EDITS, OF_ACCOUNTS

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts import deciding, recipients
from skene_dagster.delivery.decide.accounts.checking import AccountsOfBatch
from skene_dagster.delivery.decide.accounts.deciding import AccountDecisions
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.model import Contact
from skene_dagster.store.tables import account_deferred

FOR_EVER = "put off for ever"
TWICE = "two are mailed for one entry of an account"
ANOTHER_S = "mailed about an account that is another's"


def everybody_is_mailed_instead_of_the_owner(patch: pytest.MonkeyPatch) -> None:
    """About an account all of it are mailed, whom the loop did not ask for."""
    real = recipients.recipients
    patch.setattr(deciding, "recipients", lambda connection, _whom, *more: real(connection, "everybody", *more))
    patch.setattr(AccountDecisions, "decide", lambda self, one: self._everybody(one, "1", (), None))
    an_owner_is_asked_when_deciding_only(patch)


def an_owner_is_asked_when_deciding_only(patch: pytest.MonkeyPatch) -> None:
    """Who owns the account no more is mailed, or who has left it."""
    patch.setattr(recipients, "still_recipients", lambda _c, _whom, _settings, chosen, _at: set(chosen))


def an_account_s_no_is_read_when_deciding_only(patch: pytest.MonkeyPatch) -> None:
    """An account that is suppressed once its email is reserved is mailed about."""
    patch.setattr(AccountsOfBatch, "names", lambda _self, _send_id: ())
    patch.setattr(AccountsOfBatch, "_refusals", {}, raising=False)
    real = AccountsOfBatch.why_not

    def why_not(self: AccountsOfBatch, *arguments: Any) -> Any:
        object.__setattr__(self, "_refusals", {})
        return real(self, *arguments)

    patch.setattr(AccountsOfBatch, "why_not", why_not)


def an_account_s_no_is_not_read(patch: pytest.MonkeyPatch) -> None:
    """An account that is suppressed is mailed about."""
    an_account_s_no_is_read_when_deciding_only(patch)
    patch.setattr(deciding, "refusals", lambda *_: {})


def a_cap_counts_people_only(patch: pytest.MonkeyPatch) -> None:
    """What an account got counts for no cap."""

    def contacts_of_accounts(
        _connection: Connection, _scope: StepScope, _keys: Collection[object], _since: datetime
    ) -> dict[object, list[tuple[str, Contact]]]:
        return {}

    patch.setattr(ledger, "contacts_of_accounts", contacts_of_accounts)


def one_address_is_mailed_about_two_accounts_at_once(patch: pytest.MonkeyPatch) -> None:
    """Who owns two accounts gets the same email twice at a tick."""
    patch.setattr(AccountDecisions, "_is_of_this_tick", lambda _self, _one: False)


def a_new_owner_waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Of an account that has another owner by the time of its email nobody is decided about again."""
    real = ledger.freeze

    def frozen(connection: Connection, *arguments: Any, **more: Any) -> bool:
        ours = real(connection, *arguments, **more)
        changed = account_deferred.c.reason == "new_recipient"
        connection.execute(update(account_deferred).where(changed).values(ask_at=datetime(2100, 1, 1)))
        return ours

    patch.setattr(ledger, "freeze", frozen)


_ALL = EDITS + OF_ACCOUNTS * 2
OWNED, STOPPED, ENTERS = _ALL.index("owner"), _ALL.index("account's no"), _ALL.index("account")
"""Edits."""

OWNER, EVERYBODY = 1, 2
"""Whom a loop about accounts mails."""

ONE_IN_TWO_DAYS = 1
"""A limit."""

OWNED_MEANWHILE = (
    CALM
    | {"accounts": OWNER, "users": 7, "rounds": 1, "mode0": QUOTA, "mode1": 0, "gap0": A_DAY, "events1": 0}
    | {"events0": 3, "event0": EDIT, "edit0": OWNED}
)
"""Accounts get other owners while their emails wait for the quota."""

MUTANTS = (
    Mutant(an_owner_is_asked_when_deciding_only, {ANOTHER_S}, 20, OWNED_MEANWHILE),
    Mutant(a_new_owner_waits_for_ever, {FOR_EVER}, 20, OWNED_MEANWHILE),
    Mutant(
        an_account_s_no_is_read_when_deciding_only,
        {UNHEARD},
        20,
        OWNED_MEANWHILE | {"edit0": STOPPED},
    ),
    Mutant(an_account_s_no_is_not_read, {UNHEARD}, 20, OWNED_MEANWHILE | {"edit0": STOPPED}),
    Mutant(
        a_cap_counts_people_only,
        {"mailed about an account more often than a cap allows"},
        20,
        CALM
        | {"accounts": OWNER, "limits": ONE_IN_TWO_DAYS, "users": 7, "rounds": 3, "switching": 2, "next": 0}
        | {f"mode{n}": 0 for n in range(4)}
        | {f"gap{n}": 2 for n in range(4)}
        # Loops about users mail nobody.
        | {f"outside:{user}": 1 for user in range(1, 9)}
        | {"events0": 0, "events1": 1, "events2": 0, "events3": 2, "event1": EDIT, "event3": EDIT}
        | {"edit1": ENTERS, "edit3#0": ENTERS, "edit3#1": OWNED, "user1": 1, "user3": 1},
    ),
    Mutant(
        one_address_is_mailed_about_two_accounts_at_once,
        {"one address is mailed twice at a tick"},
        20,
        OWNED_MEANWHILE | {"sharing": 1},
    ),
    Mutant(everybody_is_mailed_instead_of_the_owner, {TWICE, ANOTHER_S}, 20, OWNED_MEANWHILE),
)
