"""A walk goes on where the last range ended, and in smaller ones from where the database says that one is too large."""

import pytest

from skene_dagster.errors import StoreTooLarge
from skene_dagster.store.key_ranges import in_the_first_way_that_fits, walk


def walked(size: int, *, most: int, keys: int = 1000) -> list[tuple[int, int]]:
    """Walk over keys in a database that takes so many at a time; list where each range begins, and its size."""
    tried: list[tuple[int, int]] = []

    def write(low: int | None, size: int) -> int | None:
        tried.append((low or 0, size))
        if size > most:
            raise StoreTooLarge("It is too large.")
        high = (low or 0) + size
        return high if high < keys else None

    walk(write, size)
    return tried


def test_ranges_follow_each_other_until_nothing_is_left() -> None:
    assert walked(400, most=400) == [(0, 400), (400, 400), (800, 400)]


def test_a_range_that_is_too_large_is_cut_to_a_quarter_and_the_next_ones_stay_so() -> None:
    assert walked(1600, most=500) == [(0, 1600), (0, 400), (400, 400), (800, 400)]


def test_a_range_is_cut_no_smaller_than_a_hundred_keys() -> None:
    assert walked(300, most=100, keys=200) == [(0, 300), (0, 100), (100, 100)]
    with pytest.raises(StoreTooLarge):
        walked(300, most=99)


def test_a_hundred_keys_that_are_too_many_are_tried_once() -> None:
    tried = []

    def write(_low: object, size: int) -> None:
        tried.append(size)
        raise StoreTooLarge("It is too large.")

    with pytest.raises(StoreTooLarge):
        walk(write, 101)

    assert tried == [101, 100]


def too_large() -> int:
    raise StoreTooLarge("It is too large.")


def test_the_first_way_that_is_not_too_large_is_taken() -> None:
    assert in_the_first_way_that_fits([lambda: 1, too_large]) == 1
    assert in_the_first_way_that_fits([too_large, lambda: 2, lambda: 3]) == 2
    assert in_the_first_way_that_fits([too_large, too_large, lambda: 3]) == 3
    with pytest.raises(StoreTooLarge):
        in_the_first_way_that_fits([too_large, too_large])
