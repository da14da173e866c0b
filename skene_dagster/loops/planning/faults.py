"""Everything impossible in one loop file, collected while it is planned and raised together."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from skene_dagster.codes import Code
from skene_dagster.documents import Document, Path_, together
from skene_dagster.errors import DocumentError, LoopInvalid


@dataclass(frozen=True)
class Faults:
    """The faults found so far in one document."""

    document: Document
    found: list[DocumentError] = field(default_factory=list)

    def refuse(self, path: Path_, message: str, advice: str = "") -> None:
        """Note that the value at `path` is impossible."""
        place = self.document.place(path)
        self.found.append(LoopInvalid(message, advice=advice, place=place, code=_code(path)))

    def note(self, error: DocumentError) -> None:
        """Note what somebody else found."""
        self.found.extend(error.errors)

    def raise_any(self) -> None:
        """Raise what was noted, if anything was."""
        if self.found:
            raise together(self.found)


_CODES: Mapping[str | int, Code] = {
    "name": Code.NAME,
    "renamed_from": Code.NAME,
    "trigger": Code.TRIGGER,
    "condition": Code.CONDITION,
    "action": Code.ACTION,
    "goal": Code.GOAL,
    "topic": Code.TOPIC,
    "variants": Code.VARIANTS,
    "sender": Code.SENDER,
    "recovery": Code.RECOVERY,
    "per": Code.SHARED,
    "utm": Code.SHARED,
}


def _code(path: Path_) -> Code:
    """Return the code of the innermost part of a path that has one of its own."""
    return next((_CODES[part] for part in reversed(path) if part in _CODES), Code.LOOP)
