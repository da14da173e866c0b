"""A measurement in a process of its own, whose memory is nobody else's."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Generic, TypeVar

from benchmarks.peak import peak

T = TypeVar("T")


@dataclass(frozen=True)
class Ended(Generic[T]):
    """What the work returned, and the process's memory in MiB."""

    result: T
    idle: float
    """At most before the work began, everything imported."""
    peak: float

    @property
    def memory(self) -> str:
        """Show the peak, and how much of it an idle process has too."""
        return f"{self.peak:.0f} ({self.idle:.0f}) MiB"


def apart(work: Callable[..., T], *arguments: object) -> Ended[T]:
    """Do the work, a function of a module, in a new process; what it raises is raised here."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_watched, work, *arguments).result()


def _watched(work: Callable[..., T], *arguments: object) -> Ended[T]:
    idle = peak()
    return Ended(work(*arguments), idle, peak())
