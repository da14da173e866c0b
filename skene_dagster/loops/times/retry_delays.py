"""Waits between retries, as Dagster counts them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from typing_extensions import assert_never


@dataclass(frozen=True)
class RecoveryPlan:
    """How often a run that failed is tried again, and after which waits."""

    retries: int
    backoff: Literal["none", "linear", "exponential"]
    delay: timedelta


def last_wait(retries: int, backoff: Literal["none", "linear", "exponential"], delay: timedelta) -> timedelta:
    """Say how long Dagster waits before the last retry."""
    # Dagster, 2026-11: n * delay, (2^n - 1) * delay; there is no argument that would cap it.
    match backoff:
        case "none":
            return delay
        case "linear":
            return delay * retries
        case "exponential":
            return delay * ((1 << retries) - 1)
        case _:
            assert_never(backoff)
