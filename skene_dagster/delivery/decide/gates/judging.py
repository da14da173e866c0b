"""What a gate says of what was measured. Pure: a run and a preview judge alike."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from skene_dagster.delivery.model import GateName
from skene_dagster.durations import duration_text
from skene_dagster.settings import Fresh, Limits

FEW = 20
"""So few users without an address that can be mailed never hold a step."""

LOOKS_BACK = timedelta(days=28)
"""With the largest tick of this time a tick is compared."""


@dataclass(frozen=True)
class Gate:
    """What a gate measured at a tick, and whether the step may go on."""

    name: GateName
    measured: Mapping[str, float]
    """Its value and its limit, by names for a plot; without the value where it could not be measured."""
    why: str = ""
    """Why the step may not go on, and where to look; empty where it may."""

    @property
    def is_shut(self) -> bool:
        """Whether it holds the step, unless a person lets it pass."""
        return bool(self.why)


def decided(gates: Iterable[Gate], emails: int) -> tuple[Gate, ...]:
    """Put the emails that a tick has got in place of those that it could have had at most."""
    return tuple(
        replace(gate, measured={**gate.measured, gate.name: emails})
        if gate.name in _SIZES and not gate.is_shut
        else gate
        for gate in gates
    )


@dataclass(frozen=True)
class Addresses:
    """Of how many users who entered an email has an address to go to."""

    looked_at: int = 0
    missing: int = 0
    invalid: int = 0
    suppressed: int = 0

    @property
    def unmailable(self) -> int:
        """How many have none."""
        return self.missing + self.invalid + self.suppressed

    def __add__(self, other: "Addresses") -> "Addresses":
        return Addresses(
            self.looked_at + other.looked_at,
            self.missing + other.missing,
            self.invalid + other.invalid,
            self.suppressed + other.suppressed,
        )


def said(gates: Iterable[Gate]) -> dict[GateName, str]:
    """Gather what gates say, by their names; several tables are one gate."""
    found: dict[GateName, str] = {}
    for gate in gates:
        found[gate.name] = f"{found[gate.name]} {gate.why}" if gate.name in found else gate.why
    return found


def told(said: Mapping[GateName, str], loop: str, step: str) -> str:
    """Say what each gate says that holds a step, by its name, and how a person lets the step go on."""
    return " ".join([*said.values(), way_on(said, loop, step)])


def way_on(said: Iterable[GateName], loop: str, step: str) -> str:
    """Say how a person lets a step go on that these gates hold."""
    said = tuple(said)
    accepted = "".join(f" --gate {name}" for name in said if name != "first_wave")
    ways = [f"To let the next tick pass all the same: skene-dagster accept {loop} --step {step}{accepted}"]
    if "first_wave" in said:
        way = f"To approve its first emails: skene-dagster approve {loop} --step {step}"
        ways = [f"{ways[0]}.", way] if accepted else [way]
    return " ".join(ways)


def fresh(source: Fresh, newest: datetime | None, as_of: datetime) -> Gate:
    """Judge a table by its newest moment; None: it has none up to now."""
    limit = {f"{_plotted(source)}_limit": source.within / _HOUR}
    look = f"Look at what writes {source.table}. The first tick after that decides about all who wait."
    if newest is None:
        return Gate("fresh", limit, f"{source.name} has no moment up to now. {look}")
    age = max(as_of - newest, timedelta(0))
    measured = {_plotted(source): round(age / _HOUR, 3), **limit}
    if age <= source.within:
        return Gate("fresh", measured)
    said = (
        f"{source.name} is not fresh: its newest moment is {newest:%d %b %Y, %H:%M} UTC, {_hours(age)} before the "
        f"tick, and `fresh` allows {duration_text(source.within)}."
    )
    return Gate("fresh", measured, f"{said} {look}")


def unreadable(source: Fresh, why: str) -> Gate:
    """Judge a table whose newest moment cannot be read."""
    return Gate("fresh", {f"{_plotted(source)}_limit": source.within / _HOUR}, why)


def unmailable(limits: Limits, found: Addresses) -> Gate | None:
    """Judge the addresses of those who enter; None: nobody asked for that."""
    if limits.unmailable is None:
        return None
    share = found.unmailable / found.looked_at if found.looked_at else 0.0
    measured = {"unmailable": round(share, 6), "unmailable_limit": limits.unmailable}
    if found.unmailable < FEW or share <= limits.unmailable:
        return Gate("unmailable", measured)
    kinds = {"missing": found.missing, "invalid": found.invalid, "suppressed": found.suppressed}
    said = (
        f"{found.unmailable:,} of {found.looked_at:,} users who enter ({share:.0%}) have no address that can be mailed "
        f"({', '.join(f'{n:,} {kind}' for kind, n in kinds.items() if n)}), and limits.unmailable is "
        f"{limits.unmailable * 100:g}%. Look at what writes their addresses."
    )
    return Gate("unmailable", measured, said)


def volume(limits: Limits, emails: int, largest: int | None) -> Gate | None:
    """Judge how many emails a tick has.

    Args:
        largest: how many the largest tick had, of those it is compared with; None: the step never mailed anybody, and
            there is nothing to compare with.
    """
    if limits.volume is None:
        return None
    if largest is None:
        return Gate("volume", {"volume": emails})
    most = most_emails(limits.volume, limits.least_change, largest)
    measured = {"volume": emails, "volume_limit": most}
    if emails <= most:
        return Gate("volume", measured)
    said = (
        f"It would send {emails:,} emails. The largest tick of the last {duration_text(LOOKS_BACK)} had {largest:,}, "
        f"and limits.volume is {limits.volume:g}x. Look at the tables that the condition reads."
    )
    return Gate("volume", measured, said)


def most_emails(volume: float, floor: int, largest: int) -> int:
    """Say how many emails a tick may have."""
    # What is less than the floor holds no step.
    return max(int(volume * largest), floor - 1)


def first_wave(limits: Limits, emails: int) -> Gate:
    """Judge the first emails of a step in production that nobody has approved yet."""
    measured = {"first_wave": emails, "first_wave_limit": limits.first_wave}
    if emails <= limits.first_wave:
        return Gate("first_wave", measured)
    return Gate(
        "first_wave",
        measured,
        f"It never mailed anybody, and would now send {emails:,} emails (limits.first_wave is {limits.first_wave:,}).",
    )


_HOUR = timedelta(hours=1)
_SIZES: frozenset[GateName] = frozenset({"volume", "first_wave"})
"""Gates that are about the number of emails."""


def _plotted(source: Fresh) -> str:
    return f"hours_since_{source.name}"


def _hours(age: timedelta) -> str:
    hours = age / _HOUR
    return f"{hours:,.0f} hours" if hours >= 2 else f"{age / timedelta(minutes=1):.0f} minutes"
