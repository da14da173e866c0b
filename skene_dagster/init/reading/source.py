"""A file of the product's code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A file of the product's code."""

    path: str
    """Relative to the folder."""
    text: str
