"""An event is brought to the database's time, and is refused where it is of another."""

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import create_engine

from skene_dagster.behaviour.event import new_event
from skene_dagster.behaviour.events import Journal
from skene_dagster.behaviour.user_ids import UserIds
from skene_dagster.errors import EventRefused

NOW = datetime(2026, 11, 29, 12)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
TEN_YEARS = timedelta(days=3653)


def journal(ahead: timedelta = timedelta()) -> Journal:
    """One in a database whose clock is so far ahead of this machine's."""
    return Journal(
        create_engine("sqlite://"),
        lambda: datetime.now(timezone.utc).replace(tzinfo=None) + ahead,
        UserIds("integer", 0, 9),
    )


@pytest.mark.parametrize(
    ("at", "happened"),
    [
        pytest.param(NOW - TICK, NOW - TICK, id="just before"),
        pytest.param(NOW, NOW, id="now"),
        pytest.param(NOW + TICK, NOW, id="just after"),
        pytest.param(NOW + timedelta(minutes=5), NOW, id="as far ahead as clocks differ"),
        pytest.param(NOW - TEN_YEARS, NOW - TEN_YEARS, id="ten years ago"),
    ],
)
def test_an_event_happened_when_it_says_and_no_later_than_now(at: datetime, happened: datetime) -> None:
    fitted = journal(HOUR).fit(new_event("7", "used", {"a": 1}, at=at, event_id="e-1"), NOW)

    assert (fitted.event_id, fitted.user_id, fitted.name) == ("e-1", 7, "used")
    assert fitted.occurred_at == happened
    assert fitted.properties == '{"a":1}'


@pytest.mark.parametrize(
    ("at", "words"),
    [
        pytest.param(NOW + timedelta(minutes=5) + TICK, "more than 5 minutes in the future", id="ahead"),
        pytest.param(NOW - TEN_YEARS - TICK, "more than 10 years in the past", id="long ago"),
    ],
)
def test_an_event_of_another_time_is_refused(at: datetime, words: str) -> None:
    with pytest.raises(EventRefused, match=words):
        journal().fit(new_event(7, "used", at=at), NOW)


def test_an_event_of_an_id_that_is_no_users_is_refused() -> None:
    with pytest.raises(EventRefused, match="not between 0 and 9"):
        journal().fit(new_event(10, "used", at=NOW), NOW)


@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
def test_what_happened_by_this_machines_clock_happened_by_the_databases(ahead: timedelta) -> None:
    told = new_event(7, "used")

    fitted = journal(ahead).fit(told, told.occurred_at + HOUR)

    assert told.by_our_clock
    assert abs(fitted.occurred_at - (told.occurred_at + ahead)) < timedelta(seconds=10)


@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
def test_now_is_what_the_database_says(ahead: timedelta) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None)

    assert abs(journal(ahead).now() - (now + ahead)) < timedelta(seconds=10)
