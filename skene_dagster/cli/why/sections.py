"""One user on the screen, in 80 columns: who they are, may we mail them, what comes next, what happened, where not."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from skene_dagster.cli.screen import Screen, mask
from skene_dagster.cli.why.layout import SEPARATOR, clean, columns, moment, padded, short, wrapped
from skene_dagster.cli.why.sentences import Speaker, name_of, value
from skene_dagster.cli.words import outcome_in_words
from skene_dagster.consent.listing import Recorded
from skene_dagster.consent.preferences import Kept
from skene_dagster.durations import duration_text
from skene_dagster.explain.model import Explained, Happened, Outside
from skene_dagster.segments.parts import Checked
from skene_dagster.store.tables import OPEN

_AT, _NAME, _OUTCOME = 12, 22, 10
"""Columns for a moment, for a loop and its step, and for what was decided."""
_LABEL = 16
_PART = 42
_VERDICTS = {True: "yes", False: "no", None: "not checked"}


def tell(screen: Screen, speaker: Speaker, found: Explained, every: Iterable[Sequence[Happened]] | None = None) -> None:
    """Print all that is known.

    Args:
        every: all decisions, by pages; None: those that were found are enough.
    """
    _tell_person(screen, speaker, found)
    _tell_whether(screen, speaker, found)
    _tell_coming(screen, speaker, found)
    screen.line()
    more = found.more and every is None
    _heading(screen, "WHAT HAPPENED", "newest first · --all · --loop NAME" if more else "newest first")
    for page in every or [found.happened]:
        _tell_happened(screen, speaker, page)
    if not found.happened:
        screen.line("  nothing yet")


def _tell_happened(screen: Screen, speaker: Speaker, some: Iterable[Happened]) -> None:
    """Print decisions."""
    for one in some:
        outcome = outcome_in_words(one.outcome)
        name = name_of(one.loop, one.step)
        cells = [(speaker.at(one.at), _AT), (name, _NAME), (outcome, _OUTCOME), (speaker.happened(one), 0)]
        _rows(screen, cells)


def tell_outside(screen: Screen, speaker: Speaker, some: Sequence[Outside]) -> None:
    """Print which loops the user is not in, and why."""
    if not some:
        return
    screen.line()
    _heading(screen, "NOT IN THESE LOOPS", "as of their last look")
    for one in some:
        _rows(screen, [(name_of(one.loop, one.step), _LABEL), (speaker.outside(one), 0)])
        parts = one.parts if one.left_at is None else ()
        for part in parts:
            _tell_part(screen, speaker, part)
        if parts and all(part.holds for part in parts):
            screen.paragraph("All of it holds now: they come in at its next look.", indent=4)


def tell_record(
    screen: Screen, speaker: Speaker, shown: str, records: Sequence[Recorded], answers: Sequence[Kept]
) -> None:
    """Print what is on record of an address that no user has."""
    screen.line(f"{shown}: no user has this address now", "bold")
    screen.line()
    _heading(screen, "ON RECORD", "newest first")
    for record in records:
        entry = record.suppression
        until = ""
        if entry.until != OPEN:
            ends = "lifted" if record.lift_reason is not None else "until"
            because = f": {record.lift_reason}" if record.lift_reason else ""
            until = f"\n{ends} {speaker.at(entry.until)}{because}"
        said = f"{entry.reason.replace('_', ' ')}: {entry.source}{until}"
        _rows(screen, [(speaker.at(entry.since), _AT), (entry.scope, _NAME), ("STOPPED", _OUTCOME), (said, 0)])
    for answer in answers:
        outcome = f"SAID {answer.answer.upper()}"
        cells = [(speaker.at(answer.said.at), _AT), (answer.scope, _NAME), (outcome, _OUTCOME), (answer.said.source, 0)]
        _rows(screen, cells)


def _tell_person(screen: Screen, speaker: Speaker, found: Explained) -> None:
    person = found.person
    address = "no address" if not (person.address or "").strip() else _masked(person.address or "")
    who, when = SEPARATOR.join(speaker.who(person, address)), f"as of {moment(speaker.now, speaker.now)} UTC"
    if cell_len(who) + len(when) + 2 <= screen.width:
        screen.line(padded(who, screen.width - len(when)) + when, "bold")
    else:
        for line in [*wrapped(who, screen.width), when]:
            screen.line(line, "bold")
    if state := speaker.state(person):
        screen.paragraph(clean(SEPARATOR.join(state)))


def _tell_whether(screen: Screen, speaker: Speaker, found: Explained) -> None:
    screen.line()
    _heading(screen, "MAY WE MAIL THEM", speaker.verdict(found))
    rows = [(f"topic {one.topic}", speaker.topic(one)) for one in found.topics]
    rows.append(("address", speaker.address(found.address)))
    rows += [(f"mails in {_days(duration_text(one.within))}", speaker.cap(one)) for one in found.caps]
    for label, said in rows:
        _rows(screen, [(label, _LABEL), (said, 0)])


def _tell_coming(screen: Screen, speaker: Speaker, found: Explained) -> None:
    screen.line()
    _heading(screen, "WHAT COMES NEXT", "all loops are paused" if found.paused else "")
    for one in found.coming:
        when, said = speaker.coming(one)
        _rows(screen, [(when, _AT), (name_of(one.loop, one.step), _NAME), (said, 0)])
    if not found.coming:
        screen.line("  nothing is planned")


def _tell_part(screen: Screen, speaker: Speaker, part: Checked) -> None:
    values = ", ".join(value(name, held, speaker.now) for name, held in part.values) if part.holds is not True else ""
    verdict = _VERDICTS[part.holds]
    said = f"{verdict:<4}({values})" if values and part.holds is not None else verdict
    text = short(part.part, 4 * _PART)
    for line in columns([(text, _PART), (said, 0)], screen.width, indent=4):
        screen.line(line)


def _rows(screen: Screen, cells: Sequence[tuple[str, int]]) -> None:
    for line in columns(cells, screen.width):
        screen.line(line)


def _heading(screen: Screen, name: str, said: str = "") -> None:
    first, *others = wrapped(f"{name}   {said}" if said else name, screen.width)
    screen.line(first if not said or others else f"{name:<16}   {said}", "bold")
    for line in others:
        screen.line(line)


def _masked(address: str) -> str:
    return short(mask(clean(address)), 40) if "@" in address else "no valid address"


def _days(duration: str) -> str:
    return f"{duration[:-1]} days" if duration.endswith("d") and duration != "1d" else duration
