"""One line of `doctor`."""

from dataclasses import dataclass
from typing import Literal

from skene_dagster.errors import SkeneError


@dataclass(frozen=True)
class Checked:
    """The result of one check."""

    label: Literal["ok", "notice", "error"]
    said: str
    advice: str = ""

    @staticmethod
    def of(error: SkeneError) -> "Checked":
        """Make the result of an error, with its place if it has one."""
        return Checked("error", f"{error.place}: {error.message}" if error.place else error.message, error.advice)
