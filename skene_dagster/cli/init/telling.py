"""What `init` says: what it found and why, what it is not sure of, which files, and what comes next."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import click

from skene_dagster.cli.init.sources import Found
from skene_dagster.cli.screen import Screen
from skene_dagster.init.choosing.columns import When
from skene_dagster.init.first_loop import FirstLoop, first_loop
from skene_dagster.init.proposal import Proposal
from skene_dagster.init.writing import Planned
from skene_dagster.wording import how_many

_LONGEST_DIFF = 20


def tell(screen: Screen, found: Found, proposal: Proposal) -> None:
    """Say what was found, and how sure that is."""
    tables = how_many(len(found.schema.tables), "table")
    framework = f" ({found.schema.framework})" if found.schema.framework else ""
    screen.paragraph(f"Read {tables} in {found.schema.source}{framework}.")
    screen.line()
    screen.facts(_facts(proposal))
    said = [("notice", one) for one in proposal.aloud]
    said += [("doubt", f"{one.says} Say which: {one.flag} {'|'.join(one.options)}") for one in proposal.doubts]
    for label, text in said:
        screen.labelled(label, text)


def choice(screen: Screen, question: str, options: Sequence[str]) -> str:
    """Ask for one of several."""
    for number, option in enumerate(options, 1):
        screen.line(f"  {number}  {option}")
    return options[click.prompt(question, type=click.IntRange(1, len(options)), default=1) - 1]


def tell_files(screen: Screen, planned: Sequence[Planned]) -> None:
    """List the files, and what differs."""
    screen.line()
    for one in planned:
        match one.state:
            case "new":
                screen.line(f"  new        {one.path}")
            case "unchanged":
                screen.line(f"  unchanged  {one.path}")
            case "section":
                screen.line(f"  section    {one.path}")
            case "differs":
                screen.line(f"  differs    {one.path}: it stays; the proposal is {one.target}")
                diff = one.diff()
                for line in islice(diff, 2, _LONGEST_DIFF):
                    screen.line(f"             {line}")
                if len(diff) > _LONGEST_DIFF:
                    screen.line(f"             … {how_many(len(diff) - _LONGEST_DIFF, 'more line')}")


def tell_next(screen: Screen, root: Path, found: Found, loop: FirstLoop, *, wrote: bool) -> None:
    """Say what is left to do; the last line is the next command."""
    screen.line()
    screen.paragraph(f"{loop.about} `skene-dagster preview {loop.name}` shows whom, once the project validates.")
    screen.paragraph("Before anything leaves: fill in `sender` in skene.yaml, and the text of the email in templates/.")
    if (root / "CLAUDE.md").is_file() and wrote:
        screen.paragraph("CLAUDE.md is there, too: a line `@AGENTS.md` in it includes the rules.")
    if found.was_named or found.url is None:
        screen.paragraph("Set SKENE_DATABASE_URL to the product's database first: see .env.example.")
    screen.line()
    if not wrote:
        screen.line("Nothing was written. Next: skene-dagster init")
    else:
        screen.line("Next: skene-dagster validate --database")


def _facts(proposal: Proposal) -> dict[str, str]:
    mapped = {
        "key": proposal.key,
        "email": proposal.email,
        "name": proposal.name,
        "created_at": _when(proposal.created),
        "updated_at": _when(proposal.updated),
        "timezone": proposal.timezone,
        "locale": proposal.locale,
        "plan": proposal.plan,
    }
    facts = {
        "Users": f"{proposal.table.name} ({proposal.why})",
        "Columns": ", ".join(f"{field}: {value}" for field, value in mapped.items() if value),
        "Mailable": " AND ".join(one.sql for one in proposal.mailable) or "everybody",
        "Activity": _activity(proposal),
        "Events": "none found: send them, docs/tracking.md",
        "Loop": first_loop(proposal).name,
    }
    if proposal.events is not None:
        events = proposal.events
        of = f" is {proposal.named_by}" if proposal.named_by not in {None, proposal.key} else ""
        named = f"user: {events.user.name}{of}, name: {events.name.name}, at: {_when(events.at)}"
        facts["Events"] = f"{events.table.name} ({events.points} points; {named})"
    return facts


def _activity(proposal: Proposal) -> str:
    if proposal.activity is not None:
        return f"{proposal.activity.table}.{_when(proposal.activity.when)}"
    return "by the events" if proposal.events is not None else "nothing says when a user was last here"


def _when(when: When | None) -> str | None:
    return None if when is None else when.column + (f" ({when.unit})" if when.unit else "")
