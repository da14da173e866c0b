"""Which accounts of a page get no email, so that it can be measured; and who is compared from now on.

The coin of a loop is tossed for accounts: all of one are in one arm. That of all loops is tossed for users, whatever
the loops are about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from skene_dagster.goals.account_arms import EnrolledAccount
from skene_dagster.goals.arms import Arms, Enrolled, arms_of, known_in
from skene_dagster.goals.comparing import HeldOutOf
from skene_dagster.loops.all_loops import ALL_LOOPS
from skene_dagster.loops.variants import Shares
from skene_dagster.store.tables import account_arms


@dataclass
class ComparingAccounts:
    """The comparisons that a page of accounts is in: that of the loop, and, of their users, that of all loops."""

    spelt: Mapping[object, object]
    """The accounts as their table spells them."""
    of_the_loop: Arms
    of_all: Arms | None
    """None: nobody is held out of all loops."""
    _people: set[object]
    """Who is in the loop's comparison already."""
    _accounts: set[object] = field(default_factory=set)
    """Which accounts came into it here."""

    @staticmethod
    def read(
        connection: Connection,
        mode: str,
        loop: str,
        *,
        share: float,
        share_of_all: float,
        variants: Shares,
        accounts: Mapping[object, object],
        users: Sequence[object],
    ) -> "ComparingAccounts":
        """Read in which arms some accounts and their users are; see `arms_of`.

        Args:
            accounts: each as its table spells it.
            users: likewise.

        Raises:
            StoreError: the salt of the coin is gone.
        """
        keys = list(dict.fromkeys(accounts.values()))
        of = account_arms.c.account_id
        of_the_loop = arms_of(connection, mode, loop, share, keys, variants=variants, of=of)
        of_all = arms_of(connection, mode, ALL_LOOPS, share_of_all, users) if share_of_all else None
        people = known_in(connection, of_the_loop.comparison, users)
        return ComparingAccounts(accounts, of_the_loop, of_all, set(people))

    def holds_out(self, account: object, user: object) -> HeldOutOf | None:
        """Say of what a user is held out, where it is about an account; None: of nothing."""
        if self.of_all is not None and self.of_all.of(user) == "held_out":
            return "global"
        return "loop" if self.of_the_loop.of(self._spelt(account)) == "held_out" else None

    def enrol(
        self, account: object, decided: Mapping[object, HeldOutOf | None]
    ) -> tuple[EnrolledAccount | None, Sequence[Enrolled]]:
        """Say who is compared from now on, of those of an account who were just decided.

        With an account those come who are decided when it is: whoever is decided later may be so because of an email.
        Somebody is compared once, with the account that comes first. Who is held out of all loops is in no loop's.

        Args:
            decided: of what each is held out, who else would be mailed.

        Returns:
            The account, None if it is in the comparison already, or nobody of it comes; and the users.
        """
        made = [] if self.of_all is None else [self.of_all.enrol(user) for user in decided]
        of_all = [one for one in made if one is not None]
        key = self._spelt(account)
        new = self.of_the_loop.enrol(key)
        theirs = [user for user, held_out in decided.items() if held_out != "global"]
        if new is None or not theirs or key in self._accounts:
            return None, of_all
        self._accounts.add(key)
        people = [user for user in theirs if user not in self._people]
        self._people.update(people)
        enrolled = EnrolledAccount(key, new.comparison, new.arm, new.share, new.variant, new.weights, people)
        return enrolled, [
            *of_all,
            *(replace(new, user_id=user) for user in people),
        ]

    def _spelt(self, account: object) -> object:
        return self.spelt.get(account, account)
