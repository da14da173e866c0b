"""Trouble is counted without a lock, and said once a minute."""

import logging
import threading

import pytest

from skene_dagster.tracking.buffer import DROPPED, UNWRITTEN
from skene_dagster.tracking.seldom import Kind, Seldom, Tally


def test_a_kind_of_trouble_is_logged_once_a_minute_with_all_that_happened_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    seldom = Seldom(clock=lambda: now)
    for second in range(125):
        now = float(second)
        seldom.note(UNWRITTEN, 1, "It is away.")
        seldom.note(DROPPED, 1000 * (second == 60), "10")
        seldom.tell()

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
    seldom = Seldom()
    seldom.note(Kind(logging.WARNING, "{many}: {words}"), 1, "{a} %s")
    seldom.tell()

    assert caplog.messages == ["1: {a} %s"]
