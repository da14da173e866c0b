"""How large an effect has to be to be seen, before anything is measured: for `validate` and `preview`."""

from skene_dagster.outcomes import words
from skene_dagster.outcomes.lift.smallest import smallest_effect

ASSUMED = 0.05
"""Who reaches the goal without an email, where that was never measured."""

EXAMPLE = 10_000
"""People of whom `validate` speaks, who knows of none."""


def of_people(mailed: int, held_out: int) -> str:
    """Say what so many people show, if nothing is known of the rate."""
    effect = smallest_effect(ASSUMED, mailed, held_out)
    said = words.smallest(effect)
    return said if effect >= 1 else f"{said}, if {100 * ASSUMED:g} of 100 reach the goal anyway"


def of_share(share: float) -> str:
    """Say what a share that is held out shows, of an example.

    Args:
        share: above 0, below 1.
    """
    held_out = round(EXAMPLE * share)
    effect = smallest_effect(ASSUMED, EXAMPLE - held_out, held_out)
    return (
        f"Of {EXAMPLE:,} people, {held_out:,} are held out: a difference of less than {words.points(effect)} cannot be "
        f"seen, if {100 * ASSUMED:g} of 100 reach the goal anyway."
    )
