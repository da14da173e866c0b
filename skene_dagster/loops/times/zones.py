"""Time zones: an IANA name, or what to write instead. If a similar spelling is another hour, it is not suggested."""

import difflib
import re
import zoneinfo

_LOS_ANGELES, _DENVER, _CHICAGO = "America/Los_Angeles", "America/Denver", "America/Chicago"
_NEW_YORK, _BERLIN, _LONDON = "America/New_York", "Europe/Berlin", "Europe/London"

CITIES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("PST", "PDT", "PT", "PACIFIC TIME", "PACIFIC STANDARD TIME"), (_LOS_ANGELES,)),
    **dict.fromkeys(("MDT", "MT", "MOUNTAIN TIME", "MOUNTAIN STANDARD TIME"), (_DENVER,)),
    **dict.fromkeys(("CDT", "CT", "CENTRAL TIME", "CENTRAL STANDARD TIME"), (_CHICAGO,)),
    **dict.fromkeys(("EDT", "ET", "EASTERN TIME", "EASTERN STANDARD TIME"), (_NEW_YORK,)),
    **dict.fromkeys(("AKST", "AKDT"), ("America/Anchorage",)),
    **dict.fromkeys(("CEST", "MEZ", "MESZ", "CENTRAL EUROPEAN TIME"), (_BERLIN,)),
    **dict.fromkeys(("EEST", "EASTERN EUROPEAN TIME"), ("Europe/Athens", "Europe/Helsinki")),
    **dict.fromkeys(("AEST", "AEDT", "AET"), ("Australia/Sydney", "Australia/Brisbane")),
    **dict.fromkeys(("ACST", "ACDT"), ("Australia/Adelaide", "Australia/Darwin")),
    **dict.fromkeys(("NZST", "NZDT"), ("Pacific/Auckland",)),
    "CST": (_CHICAGO, "Asia/Shanghai"),
    "IST": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
    "BST": (_LONDON, "Asia/Dhaka"),
    "AST": ("America/Halifax", "Asia/Riyadh"),
    "ADT": ("America/Halifax",),
    "WEST": ("Europe/Lisbon",),
    "MSK": ("Europe/Moscow",),
    "TRT": ("Europe/Istanbul",),
    "GST": ("Asia/Dubai",),
    "PKT": ("Asia/Karachi",),
    "ICT": ("Asia/Bangkok",),
    "WIB": ("Asia/Jakarta",),
    "SGT": ("Asia/Singapore",),
    "HKT": ("Asia/Hong_Kong",),
    "PHT": ("Asia/Manila",),
    "JST": ("Asia/Tokyo",),
    "KST": ("Asia/Seoul",),
    "AWST": ("Australia/Perth",),
    "BRT": ("America/Sao_Paulo",),
    "ART": ("America/Argentina/Buenos_Aires",),
    "SAST": ("Africa/Johannesburg",),
    "EAT": ("Africa/Nairobi",),
    "WAT": ("Africa/Lagos",),
    "CAT": ("Africa/Maputo",),
}
"""Abbreviations that are not names of zones, and the cities where they are used."""

_FIXED = {"EST": (5, _NEW_YORK), "MST": (7, _DENVER)}
"""Names of zones that people mistake for others: hours behind UTC all year round, and the city they mean."""

# Files of the system's zone database that are no zones, are another one on each machine, or count leap seconds.
_NO_ZONES = re.compile(r"(posix|right)/.*|localtime|posixrules|Factory")


def fault_of_timezone(name: str) -> str:
    """Say what to write instead of an invalid time zone; empty if it is valid."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return _instead(name)
    return _instead(name) if _NO_ZONES.fullmatch(name) else ""


def trap_of_timezone(name: str) -> str:
    """Say which hour a zone has that is valid but perhaps not the one that was meant; empty for any other."""
    if name in _FIXED:
        hours, city = _FIXED[name]
        return f"{name} is {hours} hours behind UTC all year round. With summer time it is {city}."
    if sign := re.fullmatch(r"Etc/GMT([+-])([1-9][0-9]?)", name):
        side = "behind" if sign[1] == "+" else "ahead of"
        return f"{name} is {sign[2]} h {side} UTC: its sign is reversed."
    return ""


def _instead(name: str) -> str:
    said = " ".join(name.split())
    if cities := CITIES.get(said.upper()):
        return f"It is an abbreviation; write the city that you mean: {' or '.join(cities)}."
    if said.upper() in ("Z", "ZULU", "UTC0", "GMT/UTC"):
        return "Write UTC."
    if said in ("localtime", "posixrules"):
        return "It is the zone of the machine that reads it; write the city that you mean, such as Europe/Berlin."
    folder, _, plain = said.partition("/")
    if folder in ("posix", "right") and not fault_of_timezone(plain):
        return f"{folder}/ is a copy of the zones that not every machine has; write {plain}."
    if offset := re.fullmatch(r"(?:UTC|GMT)? ?([+-]) ?([0-9]{1,2})(?::?([0-9]{2}))?", said.upper()):
        return _of_an_offset(offset[1], int(offset[2]), int(offset[3] or 0))
    key = said.replace(" ", "_").casefold()
    known = sorted(zone for zone in zoneinfo.available_timezones() if not _NO_ZONES.fullmatch(zone))
    same = [zone for zone in known if zone.casefold() == key]
    cities = tuple(same or (zone for zone in known if zone.casefold().rpartition("/")[2] == key))
    if cities:
        return f"Write {' or '.join(cities)}."
    area = said.partition("/")[0]
    # The city that was meant is recognized, or seen to be another; of an offset or abbreviation only the hour would be.
    near = [zone for zone in known if zone.startswith(f"{area}/") and area != "Etc"]
    found = difflib.get_close_matches(said, near, n=1, cutoff=0.8)
    return " ".join(["Write an IANA name, such as Europe/Berlin.", *(f"Did you mean {zone!r}?" for zone in found)])


def _of_an_offset(sign: str, hours: int, minutes: int) -> str:
    if not hours and not minutes:
        return "Write UTC."
    ahead = sign == "+"
    cure = f"Etc/GMT{'-' if ahead else '+'}{hours}"
    if minutes or hours > (14 if ahead else 12):
        return "An offset is not a time zone: write the city that you mean, such as Europe/Berlin or Asia/Kolkata."
    side = "ahead of" if ahead else "behind"
    return (
        "An offset is not a time zone: write the city that you mean, such as Europe/Berlin; or, the same all "
        f"year round, {cure} ({hours} h {side} UTC: the sign is reversed)."
    )
