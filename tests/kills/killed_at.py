"""`dagster job execute` in a process that kills itself, with SIGKILL, at a named point of the protocol.

Nothing is mocked: the functions run as they are, and the process is gone at the NTH time that one of them is done.
Leases are shortened, so that the next run need not wait a minute for the dead one's.
"""

import functools
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from forked import dagster

LEASE = timedelta(seconds=1)
ORDERS = "orders"
"""The file of a project that says where its processes die."""
IN_CHILDREN = "in_children"
"""The job of `code_location` whose steps have a process each."""

POINTS = {
    "refresh": ("skene_dagster.store.leasing.leases", "keep"),
    "refreshed": ("skene_dagster.store.leasing.leases", "complete"),
    "reserve": ("skene_dagster.delivery.ledger", "decide"),
    "claim": ("skene_dagster.delivery.ledger", "claim"),
    "freeze": ("skene_dagster.delivery.ledger", "freeze"),
    "begin_attempt": ("skene_dagster.delivery.ledger", "begin_attempt"),
    "settle": ("skene_dagster.delivery.ledger", "settle"),
    "written_back": ("skene_dagster.delivery.ledger", "written_back"),
}
"""Functions whose transaction is one step of the protocol."""

POST = "post"
_CONVERSATION = "skene_dagster.delivery.providers.smtp.conversation", "Conversation"
CALLS = {
    POST: ("skene_dagster.delivery.providers.resend.provider", "ResendProvider", "send_batch"),
    "submit": (*_CONVERSATION, "submit"),
    "content": (*_CONVERSATION, "_before_the_dot"),
    "dot": (*_CONVERSATION, "_dot"),
    "reply": ("smtplib", "SMTP", "getreply"),
}
"""Calls to a provider, and within one: `inside`, just before it; `after`, it is done and nothing is written.

`suspended`, and not dead: just before it, until somebody wakes the process.
"""


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def follow_orders(file: Path) -> None:
    """Prepare this process to die as the first line of a file says, which is gone by then: others follow the next."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    if lines:
        point, when, nth = lines[0].split()
        arm(point, when, int(nth), obeyed=lambda: file.write_text("\n".join(lines[1:]), encoding="utf-8"))


def arm(point: str, when: str, nth: int, obeyed: Callable[[], object] = lambda: None) -> None:
    """Prepare this process to die; `obeyed` is called just before."""
    from importlib import import_module  # noqa: PLC0415 - the package is imported by the children only

    from skene_dagster.store import engine  # noqa: PLC0415

    left = nth
    is_near = False

    def count_down() -> bool:
        nonlocal left
        left -= 1
        if left == 0:
            obeyed()
        return left == 0

    if point in CALLS:
        owner, kind, method = CALLS[point]
        provider = getattr(import_module(owner), kind)
        call = getattr(provider, method)

        def called(*args: Any) -> Any:
            here = count_down()
            if here and when == "inside":
                die()
            if here and when == "suspended":
                os.kill(os.getpid(), signal.SIGSTOP)
            answer = call(*args)
            if here:
                die()
            return answer

        setattr(provider, method, called)  # the same, and then dies
        return

    module_name, name = POINTS[point]
    module = import_module(module_name)
    original: Callable[..., Any] = getattr(module, name)
    once = engine._once

    @functools.wraps(original)
    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal is_near
        result = original(*args, **kwargs)
        if count_down():
            if when == "inside":
                die()
            is_near = True
        return result

    def then_dying(*args: Any) -> Any:
        result = once(*args)
        if is_near:
            die()
        return result

    setattr(module, name, dying)
    engine._once = then_dying  # type: ignore[assignment]  # the same, and then dies


def shorten_leases() -> None:
    from skene_dagster.delivery.ledger import reading  # noqa: PLC0415
    from skene_dagster.store.leasing import leases  # noqa: PLC0415

    leases.LEASE = reading.LEASE = LEASE


def run(job: str, *point: Any) -> None:
    """Do what `dagster job execute` does; die at a point where one is given.

    Args:
        point: its name; `inside` (before the commit) or `after` it; at the nth time.
    """
    shorten_leases()
    if point:
        arm(*point)
    dagster("job", "execute", "-m", "skene_dagster.definitions", "-j", job)
