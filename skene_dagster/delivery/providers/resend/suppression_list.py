"""Resend's list of suppressions, which holds for the whole team that a key belongs to."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, get_args

import resend
from resend.exceptions import ResendError

from skene_dagster.delivery.providers.base import Denied
from skene_dagster.delivery.providers.resend.records import moment
from skene_dagster.delivery.providers.suppression_list import Listed, ListPage, Origin

_ID = re.compile(r"[0-9A-Za-z_-]{1,60}")
"""What we take for an id; Resend's are UUIDs."""

Ask = Callable[[Callable[[], Any]], Any]
"""Makes a call in a slot of its own, and again if it came too often; raises Denied."""


class ResendSuppressionList:
    """See `SuppressionList`."""

    at_once: ClassVar[int] = 100

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def page(self, after: str | None) -> ListPage:
        """Read the next entries; see `SuppressionList`."""
        params: Any = {"limit": self.at_once} | ({"after": after} if after else {})
        page = self._ask(lambda: resend.Suppressions.list(params))
        rows = page.get("data") if isinstance(page, Mapping) else None
        if not isinstance(rows, list) or len(rows) > self.at_once:
            raise Denied("its list of suppressions is none")
        entries = [one for row in rows if (one := _listed(row)) is not None]
        last = None
        if rows and page.get("has_more"):
            last = _id(rows[-1])
            if last is None:
                raise Denied("an entry of its list of suppressions has no id")
        elif page.get("has_more"):
            # What was behind may have been taken off at this moment; it is not known to be the end.
            raise Denied("its list of suppressions ends before it should")
        return ListPage(entries, len(rows) - len(entries), last)

    def entry(self, entry: str) -> Listed | None:
        """Find an entry; see `SuppressionList`."""
        # Resend, 2026-11: it keeps addresses in small letters; whether it looks for them as such is not documented.
        spelled = dict.fromkeys((entry.lower(), entry))
        return next((found for one in spelled if (found := self._entry(one)) is not None), None)

    def _entry(self, entry: str) -> Listed | None:
        try:
            found = _listed(self._ask(lambda: resend.Suppressions.get(entry)))
        except Denied as denied:
            if _is_not_there(denied):
                return None
            raise
        if found is None:
            raise Denied("an entry of its list of suppressions cannot be understood")
        return found

    def add(self, addresses: Sequence[str]) -> bool:
        """Put addresses on the list; see `SuppressionList`."""
        try:
            self._ask(lambda: resend.Suppressions.Batch.add({"emails": list(addresses)}))
        except Denied as denied:
            # Resend, 2026-11: the answer does not say which address is the bad one.
            if _code(denied) in {400, 422}:
                return False
            raise
        return True

    def remove(self, entry_id: str) -> None:
        """Take an entry off the list; see `SuppressionList`."""
        try:
            self._ask(lambda: resend.Suppressions.remove(entry_id))
        except Denied as denied:
            if not _is_not_there(denied):
                raise


def _listed(row: object) -> Listed | None:
    """Read an entry; None if it cannot be understood."""
    identity = _id(row)
    address = row.get("email") if isinstance(row, Mapping) else None
    if not isinstance(row, Mapping) or identity is None or not isinstance(address, str):
        return None
    try:
        since = moment(row).replace(tzinfo=None)
    except (Denied, OverflowError):
        since = None
    # An origin that is new to us is none that bounced or complained.
    origin: Origin = next((one for one in get_args(Origin) if one == row.get("origin")), "manual")
    return Listed(identity, address, origin, since)


def _id(row: object) -> str | None:
    identity = row.get("id") if isinstance(row, Mapping) else None
    return identity if isinstance(identity, str) and _ID.fullmatch(identity) else None


def _is_not_there(denied: Denied) -> bool:
    # Resend SDK 2.52, 2026-11: «a not_found error if the address is not suppressed».
    cause = denied.__cause__
    return isinstance(cause, ResendError) and cause.error_type == "not_found"


def _code(denied: Denied) -> int:
    cause = denied.__cause__
    return int(cause.code) if isinstance(cause, ResendError) and str(cause.code).isdigit() else 0
