"""Moments as exports of other products write them."""

import re
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?"
    r"(?: ?(?:Z|UTC|([+-])(\d\d):?(\d\d)?(?: [A-Z]{3,4})?))?"
)
_SINCE_1970 = re.compile(r"\d{9,10}(?:\.\d+)?|\d{13}")


def moment(text: str) -> datetime:
    """Read a moment; one without a zone is in UTC.

    Raises:
        ValueError: it is none, or one of those that people read in two ways (03/04/2026).
    """
    text = text.strip()
    if found := _ISO.fullmatch(text):
        year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
        at = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return at.replace(microsecond=int((fraction or "0")[:6].ljust(6, "0"))) - (offset if sign != "-" else -offset)
    if _SINCE_1970.fullmatch(text):
        seconds = float(text) / (1000 if len(text) == 13 else 1)
        return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)
    # Mailgun: Tue, 07 Jan 2025 19:25:45 UTC
    at = parsedate_to_datetime(text)
    return at.astimezone(timezone.utc).replace(tzinfo=None) if at.tzinfo else at
