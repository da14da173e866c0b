"""Trouble is counted without a lock, and said once a minute."""

import logging
import threading

import pytest

from skene_dagster.tracking.buffer import DROPPED, UNWRITTEN
from skene_dagster.tracking.throttled_log import Kind, Tally, ThrottledLog


def test_a_kind_of_trouble_is_logged_once_a_minute_with_all_that_happened_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    log = ThrottledLog(clock=lambda: now)
    for second in range(125):
        now = float(second)
        log.note(UNWRITTEN, 1, "It is away.")
        log.note(DROPPED, 1000 * (second == 60), "10")
        log.tell()

    assert [line.split(",")[0].split(" attempts")[0] for line in caplog.messages] == [
        "Events cannot be written (1",
        "Events cannot be written (60",
        "1",
        "Events cannot be written (60",
    ]


def test_no_count_is_lost_between_threads() -> None:
    tally = Tally()

    def count() -> None:
        for _ in range(5_000):
            tally.add("x")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    tally.add("the last")

    assert tally.news() == (20_001, "the last")
    assert tally.news() == (0, "the last")


def test_a_line_of_the_log_may_hold_braces(caplog: pytest.LogCaptureFixture) -> None:
    log = ThrottledLog()
    log.note(Kind(logging.WARNING, "{many}: {words}"), 1, "{a} %s")
    log.tell()

    assert caplog.messages == ["1: {a} %s"]


def test_what_is_told_at_once_is_said_before_its_minute_and_never_twice(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = ThrottledLog(clock=lambda: now)
    kind = Kind(logging.WARNING, "{many} {words}")
    said = []
    for now, many, at_once in [
        (0.0, 1_000, False),
        (59.9, 2, False),
        (59.9, 0, True),
        (60.0, 0, True),
        (119.8, 3, False),
        (119.9, 1, False),
    ]:
        log.note(kind, many, f"at {now:g}")
        log.tell(at_once=at_once)
        said.append(len(caplog.messages))

    assert caplog.messages == ["1,000 at 0", "2 at 59.9", "4 at 119.9"]
    assert said == [1, 1, 2, 2, 2, 3]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_news_are_told_once_and_start_at_none() -> None:
    tally = Tally()
    nothing = tally.news()
    tally.add("a")
    tally.add("b")

    assert nothing == (0, "")
    assert tally.news() == (2, "b")
    tally.add()
    assert tally.news() == (1, "")
