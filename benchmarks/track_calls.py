"""A product that tracks: what each call takes, measured inside it.

python -m benchmarks.track_calls nothing|burst|steady|fastest SECONDS      prints it as JSON
"""

import json
import sys
import time
from array import array
from collections.abc import Callable

from skene_dagster import flush, track
from skene_dagster.tracking.buffer import LIMIT

PER_SECOND = 2_000
"""Calls a second of the steady product."""

PROPERTIES = {"plan": "pro", "source": "dashboard", "seconds": 12, "tags": ["a", "b"]}


def tell(n: int) -> None:
    track(n % 100_000, "Report Opened", PROPERTIES)


def nothing(_: int) -> None:
    """What the clock and the machine take by themselves."""


def timed(
    call: Callable[[int], None], seconds: float, *, per_second: float | None = None, most: int = 0
) -> "array[float]":
    """Call and call; return the seconds of each."""
    took = array("d")
    began = time.perf_counter()
    while (now := time.perf_counter()) - began < seconds and not 0 < most <= len(took):
        if per_second is not None and (now - began) * per_second < len(took):
            continue
        call(len(took))
        took.append(time.perf_counter() - now)
    return took


def fastest(seconds: float) -> "array[float]":
    """Tell as much as the database takes: half the buffer, then wait until it is written."""
    took = array("d")
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        took.extend(timed(tell, seconds, most=LIMIT // 2))
        assert flush(60)
    return took


def main(way: str, seconds: float) -> None:
    # The thread is up, and its connection open, as in any product that has run for a while.
    if way != "nothing":
        tell(0)
        assert flush(60)
    began = time.perf_counter()
    match way:
        case "nothing":
            took = timed(nothing, seconds, per_second=PER_SECOND)
        case "burst":
            took = timed(tell, seconds, most=LIMIT - 1)
        case "steady":
            took = timed(tell, seconds, per_second=PER_SECOND)
        case _:
            took = fastest(seconds)
    assert flush(60)
    until_written = time.perf_counter() - began
    calls = sorted(took)
    print(
        json.dumps(
            {
                "calls": len(calls) + (way != "nothing"), "rate": len(calls) / sum(calls),
                "p50": calls[len(calls) // 2], "p99": calls[len(calls) * 99 // 100],
                "p999": calls[len(calls) * 999 // 1000], "max": calls[-1],
                "until_written": until_written,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
