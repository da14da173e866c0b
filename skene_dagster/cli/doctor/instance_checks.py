"""What `doctor` checks of Dagster's own instance."""

import os
from collections.abc import Iterator
from pathlib import Path

from skene_dagster.cli.validate.result import Checked
from skene_dagster.errors import SkeneError

_ADVICE = "This project's dagster.yaml, or that of the package's repository, shows what to write."


def examine_instance() -> Iterator[Checked]:
    """Look at the instance that DAGSTER_HOME names; nothing of correctness depends on it."""
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        yield Checked("ok", "DAGSTER_HOME is not set here: where the daemon runs, it says which instance has the runs.")
        return
    file = Path(home) / "dagster.yaml"
    if not file.is_file():
        # Code servers, too, have a DAGSTER_HOME, and get the instance's settings from its daemon.
        yield Checked("ok", f"There is no {file}: if the daemon has none either, all settings are Dagster's defaults.")
        return
    # Dagster costs 0.7 s.
    from skene_dagster.compiler.instance import lacking  # noqa: PLC0415

    try:
        found = [*lacking(file.parent)]
    except SkeneError as error:
        yield Checked("error", f"Dagster refuses {file}: {error}")
        return
    yield from (Checked("notice", f"{file}: {said}", _ADVICE) for said in found)
    if not found:
        yield Checked("ok", f"{file} queues one run of a loop at a time, and looks after runs that hang or are killed.")
