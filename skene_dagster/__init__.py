"""Growth loops on TiDB: segments in the database, emails sent once, everything visible in Dagster."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skene_dagster.loops.files.python_file import define_loop
    from skene_dagster.mounting import build_definitions
    from skene_dagster.tracking import flush, track

__all__ = ["build_definitions", "define_loop", "flush", "track"]

_HOMES = {
    "build_definitions": "mounting",
    "define_loop": "loops.files.python_file",
    "flush": "tracking",
    "track": "tracking",
}


def __getattr__(name: str) -> Any:
    """Import names on first use: a product that tracks events does not pay for loops, nor anyone for a database."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
