"""Who of a page gets no email, so that what comes of it can be measured; and who is compared from now on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from skene_dagster.goals.arms import Arms, Enrolled, arms_of
from skene_dagster.loops.all_loops import ALL_LOOPS
from skene_dagster.loops.variants import Shares

HeldOutOf = Literal["loop", "global"]
"""Of what somebody is held out: of one loop, or of all."""


@dataclass(frozen=True)
class Comparing:
    """The comparisons that a page of a loop's users is in: that of the loop, and that of all loops."""

    of_the_loop: Arms
    of_all: Arms | None
    """None: nobody is held out of all loops."""

    @staticmethod
    def read(
        connection: Connection,
        mode: str,
        loop: str,
        *,
        share: float,
        share_of_all: float,
        variants: Shares,
        keys: Sequence[object],
        in_order: bool,
    ) -> "Comparing":
        """Read in which arms some users are; see `arms_of`.

        Raises:
            StoreError: the salt of the coin is gone.
        """
        of_all = None
        if share_of_all:
            of_all = arms_of(connection, mode, ALL_LOOPS, share_of_all, keys, in_order=in_order)
        of_the_loop = arms_of(connection, mode, loop, share, keys, variants=variants, in_order=in_order)
        return Comparing(of_the_loop, of_all)

    def holds_out(self, user_id: object) -> HeldOutOf | None:
        """Say of what a user is held out; None: of nothing."""
        if self.of_all is not None and self.of_all.of(user_id) == "held_out":
            return "global"
        return "loop" if self.of_the_loop.of(user_id) == "held_out" else None

    def enrol(self, user_id: object, held_out: HeldOutOf | None) -> Sequence[Enrolled]:
        """Say in which comparisons a user is from now on: who is held out of all loops is in no loop's."""
        made = [] if self.of_all is None else [self.of_all.enrol(user_id)]
        if held_out != "global":
            made.append(self.of_the_loop.enrol(user_id))
        return [one for one in made if one is not None]
