"""How runs of ours go: in one process, and retried as a loop's `recovery` says, for failures that may pass."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._utils import interrupts

from skene_dagster.errors import SkeneError
from skene_dagster.loops.times.retry_delays import RecoveryPlan
from skene_dagster.store.server.labels import labelled
from skene_dagster.wording import without_addresses

_BACKOFF = {"none": None, "linear": dg.Backoff.LINEAR, "exponential": dg.Backoff.EXPONENTIAL}

EXECUTOR = dg.in_process_executor
"""Each job's own, so that it is the same beside definitions that are not ours. The work is done in the database: a
process for each op costs 1.7 s and gains nothing (measured 2026-11)."""

RETRIES = dg.RetryPolicy(max_retries=3, delay=10.0, backoff=dg.Backoff.EXPONENTIAL)
"""For jobs that belong to no loop."""


def retry_policy(recovery: RecoveryPlan) -> dg.RetryPolicy | None:
    """Translate a loop's recovery; None for a loop that is not retried."""
    if recovery.retries == 0:
        return None
    # Dagster, 2026-11: no jitter, since its PLUS_MINUS takes off, or adds, up to the whole delay.
    return dg.RetryPolicy(
        max_retries=recovery.retries, delay=recovery.delay.total_seconds(), backoff=_BACKOFF[recovery.backoff]
    )


@contextmanager
def working(run_id: str, *, loop: str = "", step: str = "") -> Iterator[None]:
    """Label the statements of a run, and turn our errors into Dagster's failures.

    The UI shows the error's sentence, and only a failure that may pass is retried. A terminated run is not retried.
    """
    try:
        with labelled(loop=loop, step=step, run=run_id):
            yield
    except SkeneError as error:
        # Without its cause: a driver's error may quote values of the statement, which must not reach the event log.
        raise dg.Failure(description=without_addresses(str(error)), allow_retries=error.retryable) from None
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
        # Dagster, 2026-11: it retries an op that has a retry policy also when SIGTERM or «Terminate» broke it off, and
        # forgets that it was told to end. Told so once more, it ends the run where the attempt would begin.
        interrupts._received_interrupt["received"] = True  # noqa: SLF001 - there is no other way to tell it
        raise dg.RetryRequested(max_retries=sys.maxsize) from None
