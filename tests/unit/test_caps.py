"""Frequency caps, against the plain reading of them: no more than so many in any such time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skene_dagster.delivery.decide.caps import Room, full
from skene_dagster.delivery.model import Contact
from skene_dagster.settings import Cap

NOW = datetime(2026, 3, 2, 9)
AN_INSTANT = timedelta(microseconds=1)
A_DAY = timedelta(days=1)
TWO_A_WEEK = Cap(count=2, within="7d")  # type: ignore[arg-type]


def contact(at: datetime | None) -> Contact:
    return Contact("loop", "step", 1, NOW, at)


def days_ago(*days: float) -> list[Contact]:
    return [contact(NOW - timedelta(days=one)) for one in days]


@pytest.mark.parametrize(
    ("contacts", "room"),
    [
        pytest.param([], None, id="no email"),
        pytest.param(days_ago(1), None, id="one"),
        pytest.param(days_ago(1, 3), Room(NOW + 4 * A_DAY), id="two: until the older one is a week old"),
        pytest.param(days_ago(1, 3, 5), Room(NOW + 4 * A_DAY), id="three, sent before the cap was set"),
        pytest.param(days_ago(1, 8), None, id="the older one is more than a week old"),
        pytest.param(days_ago(1, 7), None, id="the older one is a week old"),
        pytest.param([contact(None), *days_ago(1)], Room(NOW + 6 * A_DAY), id="one that may still leave counts"),
        pytest.param([contact(None)] * 2, Room(None), id="two that may still leave: nobody knows until when"),
        pytest.param([contact(None)] * 2 + days_ago(1), Room(None), id="and one that left"),
    ],
)
def test_two_in_seven_days(contacts: list[Contact], room: Room | None) -> None:
    assert full([TWO_A_WEEK], contacts, NOW) == room


def test_of_several_caps_all_have_to_have_room() -> None:
    one_a_day = Cap(count=1, within="1d")  # type: ignore[arg-type]

    assert full([TWO_A_WEEK, one_a_day], days_ago(0.5), NOW) == Room(NOW + A_DAY / 2)
    assert full([TWO_A_WEEK, one_a_day], days_ago(0.5, 3), NOW) == Room(NOW + 4 * A_DAY)
    assert full([TWO_A_WEEK, one_a_day], days_ago(2), NOW) is None
    assert full([], days_ago(*[1] * 100), NOW) is None


@given(
    hours=st.lists(st.integers(0, 24 * 20), max_size=8),
    open_=st.integers(0, 3),
    caps=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 12)), min_size=1, max_size=3),
)
def test_there_is_room_from_the_very_first_moment_that_all_caps_allow(
    hours: list[int], open_: int, caps: list[tuple[int, int]]
) -> None:
    given_caps = [Cap(count=count, within=f"{days}d") for count, days in caps]  # type: ignore[arg-type]
    left = [NOW - timedelta(hours=one) for one in hours]
    contacts = [contact(at) for at in left] + [contact(None)] * open_

    def fits(planned: datetime) -> bool:
        counted = ((sum(at > planned - cap.within for at in left) + open_, cap.count) for cap in given_caps)
        return all(number < most for number, most in counted)

    room = full(given_caps, contacts, NOW)

    assert (room is None) == fits(NOW)
    if room is not None and room.at is not None:
        assert fits(room.at)
        assert not fits(room.at - AN_INSTANT)
    elif room is not None:
        assert any(open_ >= cap.count for cap in given_caps)


def test_the_order_of_the_emails_makes_no_difference() -> None:
    contacts: Sequence[Contact] = days_ago(3, 1, 5, 2)

    assert full([TWO_A_WEEK], contacts, NOW) == full([TWO_A_WEEK], list(reversed(contacts)), NOW)
