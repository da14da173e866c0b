"""Everything impossible in one loop file, collected while it is planned and raised together."""

from dataclasses import dataclass, field

from skene_dagster.documents import Document, Path_, together
from skene_dagster.errors import DocumentError, LoopInvalid


@dataclass(frozen=True)
class Faults:
    """The faults found so far in one document."""

    document: Document
    found: list[DocumentError] = field(default_factory=list)

    def refuse(self, path: Path_, message: str, advice: str = "") -> None:
        """Note that the value at `path` is impossible."""
        self.found.append(LoopInvalid(message, advice=advice, place=self.document.place(path)))

    def note(self, error: DocumentError) -> None:
        """Note what somebody else found."""
        self.found.extend(error.errors)

    def raise_any(self) -> None:
        """Raise what was noted, if anything was."""
        if self.found:
            raise together(self.found)
