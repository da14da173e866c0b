"""What a Dagster instance lacks. No promise depends on it: it is about runs that wait for each other, or hang."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from skene_dagster.compiler.starting.automation import LOOP
from skene_dagster.errors import SkeneError


def lacking(home: Path) -> Iterator[str]:
    """Say, a sentence each, what the instance of a folder (DAGSTER_HOME) does not do and should.

    Raises:
        SkeneError: Dagster refuses its dagster.yaml.
    """
    try:
        opened = dg.DagsterInstance.from_config(str(home))
    except dg.DagsterInvalidConfigError as error:
        raise SkeneError(error.errors[0].message) from None
    with opened as instance:
        queue = instance.get_concurrency_config().run_queue_config
        limits = queue.tag_concurrency_limits if queue is not None else ()
        if not any(limit["key"] == LOOP for limit in limits):
            yield f"It starts several runs of a loop at once, which wait for each other: limit the tag {LOOP} to one."
        if not instance.run_monitoring_enabled:
            yield "Without `run_monitoring`, a run that hangs keeps its place in the queue for ever."
        if not instance.run_retries_enabled or not instance.run_retries_max_retries:
            yield "Without `run_retries`, a run that was killed is not started again before its loop's next tick."
