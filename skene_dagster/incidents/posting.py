"""One request to each target: it ends in time, and its answer says whether to try again. Nothing here raises.

Of an answer only the status is used: its text may quote the address, which is a secret.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from skene_dagster.settings import AlertTarget

TRIED_AGAIN = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing about the request."""


@dataclass(frozen=True)
class Call:
    """What is to be sent to a target."""

    target: AlertTarget
    body: dict[str, Any] | None
    """None: it is only called."""


@dataclass(frozen=True)
class Outcome:
    """What became of a call."""

    state: Literal["taken", "later", "refused"]
    said: str
    """The status, or what went wrong; nothing secret."""


_UNDER_WAY: dict[AlertTarget, threading.Thread] = {}
"""The last call to each target: one that is answered byte by byte may last for days, and each look would add one."""


def make(calls: Sequence[Call], seconds: float) -> list[Outcome]:
    """Make some calls at once, and wait so many seconds for their answers.

    Returns:
        their outcomes, in their order.
    """
    outcomes = [Outcome("later", f"no answer within {seconds:g} s")] * len(calls)
    threads = []

    def make_one(number: int, call: Call) -> None:
        outcomes[number] = _made(call, seconds)

    # At once: one that does not answer must not cost the others their time. requests, 2026-11: its timeout is for each
    # part of an answer, of which there may be any number; so nobody waits for a thread that takes longer.
    ends = time.monotonic() + seconds
    for number, call in enumerate(calls):
        before = _UNDER_WAY.get(call.target)
        if before is not None and before.is_alive():
            outcomes[number] = Outcome("later", "the call before is not answered yet")
            continue
        thread = _UNDER_WAY[call.target] = threading.Thread(target=make_one, args=(number, call), daemon=True)
        threads.append(thread)
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    return list(outcomes)


def _made(call: Call, seconds: float) -> Outcome:
    # Imported here: it is 0.1 s of every process that only loads the loops.
    import requests  # noqa: PLC0415

    assert call.target.address is not None
    try:
        with requests.request(
            "GET" if call.body is None else "POST",
            call.target.address,
            json=call.body,
            timeout=seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            return _outcome(response.status_code)
    except requests.Timeout:
        return Outcome("later", f"no answer within {seconds:g} s")
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is no reason to stop; its text has the address
        return Outcome("later", f"no answer ({type(error).__name__})")


def _outcome(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome("taken", str(status))
    if status >= 500 or status in TRIED_AGAIN:
        return Outcome("later", f"answered {status}")
    return Outcome("refused", f"answered {status}")
