"""One line of `doctor`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Checked:
    """One thing that was looked at."""

    label: Literal["ok", "notice", "error"]
    said: str
    advice: str = ""
