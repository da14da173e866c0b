"""Tables that must have changed lately, or nobody is mailed."""

from collections.abc import Iterator, Sequence

from skene_dagster.documents import Spec
from skene_dagster.durations import Duration
from skene_dagster.settings.moments import Moments
from skene_dagster.settings.names import TableName


class Fresh(Spec):
    """A table that must have changed lately."""

    table: TableName
    """The table that is loaded or written regularly, optionally `schema.table`."""
    column: Moments
    """Its column with the time (UTC) at which a row was written or changed; it should be indexed."""
    within: Duration
    """How long before a tick the newest of these moments may be."""

    @property
    def name(self) -> str:
        """What it is called: `users.updated_at`."""
        return f"{self.table}.{self.column.column}"


def repeated(sources: Sequence[Fresh]) -> Iterator[int]:
    """List the positions of those whose column stands in the list before."""
    seen: set[str] = set()
    for position, source in enumerate(sources):
        if source.name in seen:
            yield position
        seen.add(source.name)
