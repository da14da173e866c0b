"""How large an effect has to be to be seen, before anything is measured: for `validate` and `preview`."""

from skene_dagster.outcomes import words
from skene_dagster.outcomes.lift.arms import FEWEST_ACCOUNTS
from skene_dagster.outcomes.lift.smallest import smallest_effect

ASSUMED = 0.05
"""Who reaches the goal without an email, where that was never measured."""

EXAMPLE = 10_000
"""People, or accounts, of whom `validate` speaks, who knows of none."""


def of_people(mailed: int, held_out: int) -> str:
    """Say what so many people show, if nothing is known of the rate."""
    effect = smallest_effect(ASSUMED, mailed, held_out)
    said = words.smallest(effect)
    return said if effect >= 1 else f"{said}, if {100 * ASSUMED:g} of 100 reach the goal anyway"


def of_accounts(mailed: int, held_out: int) -> str:
    """Say what so many accounts show; the people of each say as much as one, or more the less they act alike."""
    if min(mailed, held_out) < FEWEST_ACCOUNTS:
        return f"no difference could be seen, for each group needs {FEWEST_ACCOUNTS} accounts"
    return f"{of_people(mailed, held_out)} and the people of each account act alike"


def of_share(share: float, *, per_account: bool = False) -> str:
    """Say what a share that is held out shows, of an example.

    Args:
        share: above 0, below 1.
        per_account: it is one of accounts.
    """
    held_out = round(EXAMPLE * share)
    effect = smallest_effect(ASSUMED, EXAMPLE - held_out, held_out)
    who, alike = ("accounts", ", and the people of each account act alike") if per_account else ("people", "")
    return (
        f"Of {EXAMPLE:,} {who}, {held_out:,} are held out: a difference of less than {words.points(effect)} cannot be "
        f"seen, if {100 * ASSUMED:g} of 100 {'people ' if per_account else ''}reach the goal anyway{alike}."
    )
