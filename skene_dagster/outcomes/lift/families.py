"""Several comparisons of one loop at once, by level or between variants: intervals of 1 - 0.05/k for k of them.

So of all of them together, one in twenty at most says by chance that something works (Bonferroni).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skene_dagster.outcomes.lift.arms import Arm, Pair
from skene_dagster.outcomes.lift.differences import LEVEL
from skene_dagster.outcomes.lift.verdicts import Lift, lift_of_shares


@dataclass(frozen=True)
class Arms:
    """The arms of people who were first decided with the same shares."""

    held_out: Arm | None
    """None: nobody is."""
    variants: Mapping[str, Arm]
    """In the order of the loop's file."""


@dataclass(frozen=True)
class VariantLift:
    """How a variant does."""

    variant: str
    against: str | None
    """The first variant; None: those who are held out."""
    lift: Lift


def level_of(comparisons: int) -> float:
    """Return the level of the interval of each of so many comparisons."""
    return 1 - (1 - LEVEL) / max(1, comparisons)


def lifts_by_level(levels: Mapping[str, Sequence[Pair[Arm]]], *, comparable: bool) -> dict[str, Lift]:
    """Compare the people of each level at enrolment. A hint, never a check."""
    with_both = sum(any(pair.treated.enough and pair.control.enough for pair in pairs) for pairs in levels.values())
    level = level_of(with_both)
    return {name: lift_of_shares(pairs, comparable=comparable, level=level) for name, pairs in levels.items()}


def lifts_of_variants(strata: Sequence[Arms], *, comparable: bool) -> tuple[VariantLift, ...]:
    """Compare each variant with those who are held out, if anybody is, and each but the first with the first.

    Args:
        strata: The arms, of closed windows only, one for each setting of the shares; the last has the variants.
        comparable: What `sample_ratio.comparable` says of them.
    """
    names = list(strata[-1].variants) if strata else []
    compared: list[tuple[str, str | None, list[Pair[Arm]]]] = []
    for name in names:
        against_none = [
            Pair(arms.variants[name], arms.held_out)
            for arms in strata
            if arms.held_out is not None and name in arms.variants
        ]
        if against_none:
            compared.append((name, None, against_none))
    for name in names[1:]:
        against_first = [
            Pair(arms.variants[name], arms.variants[names[0]])
            for arms in strata
            if name in arms.variants and names[0] in arms.variants
        ]
        compared.append((name, names[0], against_first))
    level = level_of(len(compared))
    return tuple(
        VariantLift(name, against, lift_of_shares(pairs, comparable=comparable, level=level))
        for name, against, pairs in compared
    )
