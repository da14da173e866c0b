"""What can be loaded and planned, but not run yet: reported when a loop is validated, never when it runs."""

from collections.abc import Iterator

from skene_dagster.loops import model


def not_yet(loop: model.Loop) -> Iterator[str]:
    """Yield one sentence for each thing in a loop that cannot run yet."""
    if loop.goal is not None:
        yield "The goal is known, not yet run."
