"""How the emails of a day are split over the loops that tick on it: pure, and exact whoever comes first.

Each loop has a share, by the rank of its priority. Until a loop's last tick of the day, others leave it what it is
expected to need of its share; what it leaves is free for them after that. So each gets its share whenever it comes, and
all of them together never more than there is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """What a loop may need on a day."""

    name: str
    priority: int | None
    """None: its emails were asked for. They wait for nothing, so all that it is expected to need is kept for it."""
    expected: int | None
    """Emails that it will plan for a day, by what is known; None: nothing is known, so it may need all of its share."""


def shares(total: int, priorities: Mapping[str, int]) -> dict[str, int]:
    """Split so many emails over loops: those of the lowest priority have one part each, of the next one two, and so on.

    What does not divide goes to the highest first.
    """
    ranks = {priority: rank for rank, priority in enumerate(sorted(set(priorities.values())), 1)}
    parts = {loop: ranks[priority] for loop, priority in priorities.items()}
    whole = sum(parts.values())
    split = {loop: total * part // whole for loop, part in parts.items()}
    left = total - sum(split.values())
    for loop in sorted(parts, key=lambda loop: (-parts[loop], loop))[:left]:
        split[loop] += 1
    return split


def room(total: int, planned: Mapping[str, int], claims: Sequence[Claim], to_come: Collection[str], mine: str) -> int:
    """Say how many more emails a loop may plan for a day; it may be less than none.

    Args:
        total: emails of the day.
        planned: how many it has got, by claim; those of loops that are gone, or that nobody knows, too.
        claims: of the loops that tick on the day.
        to_come: the claims of those that will still tick on it.
        mine: the claim of the loop that asks.
    """
    first = sum(max(one.expected or 0, planned.get(one.name, 0)) for one in claims if one.priority is None)
    split = shares(max(total - first, 0), {one.name: one.priority for one in claims if one.priority is not None})
    kept = sum(
        max(_needed(one, split) - planned.get(one.name, 0), 0)
        for one in claims
        if one.name != mine and one.name in to_come
    )
    return total - sum(planned.values()) - kept


def _needed(claim: Claim, split: Mapping[str, int]) -> int:
    if claim.priority is None:
        return claim.expected or 0
    share = split[claim.name]
    return share if claim.expected is None else min(claim.expected, share)
