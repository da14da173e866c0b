"""One thing that was found out about a received email, or about the domain that it comes from."""

from dataclasses import dataclass
from typing import Literal

Label = Literal["ok", "notice", "error"]


@dataclass(frozen=True)
class Finding:
    """What it is, and what to do about it."""

    label: Label
    said: str
    advice: str = ""
