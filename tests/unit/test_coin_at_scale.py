"""The coin over many loops and users: each loop's share is its own, and no loop's arms know of another's."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from skene_dagster.goals.coin import Coin, Purpose
from skene_dagster.outcomes.lift.sample_ratio import sample_ratio

SALT = bytes(range(32))
SHARE = 0.1
LOOPS = 50

Yes = NDArray[np.bool_]


def tossed(users: int, *, name: str, purpose: Purpose = "holdout", salt: bytes = SALT, share: float = SHARE) -> Yes:
    coin = Coin(salt, purpose, name)
    return np.fromiter((coin.toss(user) < share for user in range(users)), bool, users)


def chi_square_of_share(held_out: Yes, share: float = SHARE) -> float:
    count = int(held_out.sum())
    return sample_ratio([count, len(held_out) - count], [share, 1 - share]).chi_square


def chi_squares_of_pairs(tosses: Iterable[Yes]) -> list[float]:
    """Compute the χ² of the fourfold table of each two, if their users are tossed for independently."""
    all_ = np.array(list(tosses), dtype=np.float32)
    users = all_.shape[1]
    # Counts up to 2²⁴ are exact as 32-bit floats.
    both, each = (all_ @ all_.T).astype(float), all_.sum(axis=1, dtype=float)
    found = []
    for one, other in combinations(range(len(all_)), 2):
        a, b, c = both[one, other], each[one], each[other]
        found.append(users * (a * users - b * c) ** 2 / (b * c * (users - b) * (users - c)))
    return found


@pytest.mark.parametrize(
    ("loops", "users", "of_shares", "of_pairs"),
    [
        (LOOPS, 20_000, 18.2, 24.3),
        # A million tosses take a second, and ten loops show what is small but wrong as well as fifty do.
        pytest.param(10, 1_000_000, 15.1, 18.0, marks=pytest.mark.long),
    ],
)
def test_loops_hold_out_their_share_independently_of_each_other(
    loops: int, users: int, of_shares: float, of_pairs: float
) -> None:
    tosses = [tossed(users, name=f"loop_{number}") for number in range(loops)]

    # Each beyond what one of the loops, or of their pairs, has by chance once in a thousand such tests.
    assert max(chi_square_of_share(held_out) for held_out in tosses) < of_shares
    assert max(chi_squares_of_pairs(tosses)) < of_pairs


def test_of_a_million_users_a_loop_holds_out_its_share() -> None:
    assert chi_square_of_share(tossed(1_000_000, name="loop_1")) < 18.2


@pytest.mark.parametrize(("loops", "of_shares", "of_pairs"), [(LOOPS, 18.2, 24.3), (10, 15.1, 18.0)])
def test_the_limits_are_those_of_one_in_a_thousand_for_all_of_them(
    loops: int, of_shares: float, of_pairs: float
) -> None:
    assert stats.chi2.isf(0.001 / loops, 1) == pytest.approx(of_shares, abs=0.05)
    assert stats.chi2.isf(0.001 / (loops * (loops - 1) / 2), 1) == pytest.approx(of_pairs, abs=0.05)


def test_another_purpose_another_salt_and_another_draw_are_other_tosses() -> None:
    users = 50_000
    tosses = [
        tossed(users, name="win_back"),
        tossed(users, name="win_back", purpose="global"),
        tossed(users, name="win_back", purpose="variant"),
        tossed(users, name="win_back", salt=bytes(32)),
        tossed(users, name="win_back\x1f2"),
    ]

    assert max(chi_square_of_share(toss) for toss in tosses) < 18.2
    assert max(chi_squares_of_pairs(tosses)) < 24.3


def test_variants_are_not_cut_from_what_a_holdout_leaves() -> None:
    users = 50_000
    mailed = ~tossed(users, name="win_back")
    first = tossed(users, name="win_back", purpose="variant", share=0.5)
    with_one_toss = tossed(users, name="win_back", share=0.5)

    assert chi_square_of_share(first[mailed], 0.5) < 18.2
    assert with_one_toss[mailed].mean() == pytest.approx(0.44, abs=0.01)


def test_a_larger_share_holds_out_those_of_a_smaller_one_and_others() -> None:
    few, more = (tossed(20_000, name="win_back", share=share) for share in (0.1, 0.2))

    assert more[few].all()
    assert not tossed(20_000, name="win_back", share=0.0).any()
    assert tossed(20_000, name="win_back", share=1.0).all()


def test_tosses_are_spread_evenly() -> None:
    coin = Coin(SALT, "holdout", "win_back")
    tosses = np.fromiter((coin.toss(user) for user in range(100_000)), float, 100_000)

    assert tosses.min() >= 0
    assert tosses.max() < 1
    assert stats.kstest(tosses, "uniform").pvalue > 0.001
