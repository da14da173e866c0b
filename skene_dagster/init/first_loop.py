"""The first loop: whom it mails, as SQL in the product's own columns, and as a file."""

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import indent

from skene_dagster.init.choosing.activity import Activity
from skene_dagster.init.choosing.columns import When
from skene_dagster.init.proposal import Proposal
from skene_dagster.store.names import quoted

DAYS = 7


@dataclass(frozen=True)
class FirstLoop:
    """A loop file."""

    name: str
    text: str
    about: str
    """Whom it mails, in a sentence."""


_LOOP = """\
# Written by `skene-dagster init`. {about}
name: {name}
type: {type}
opinion: {opinion}
steps:
  - trigger: {{type: schedule, cron: 0 9 * * *, timezone: UTC}}
    condition:
{condition}
    action:
      type: email
      template: re_engagement
      personalization: {personalization}
      repeat: {repeat}
recovery: {{retries: 3, backoff: exponential, delay: 30s}}
"""


def first_loop(proposal: Proposal) -> FirstLoop:
    """Make the loop that suits what is known of the users."""
    if (away := _away(proposal)) is not None:
        return _made(proposal, "retention", "retention", away, "30d", f"Mails who was not active for {DAYS} days.")
    if proposal.created is not None:
        old = _before(_of("u", proposal.created.column), proposal.created, days=1)
        return _made(proposal, "first_steps", "activation", old, "once", "Mails each user a day after they signed up.")
    return _made(proposal, "retention", "retention", None, "30d", "Mails who is dormant, by the events that you send.")


def _made(proposal: Proposal, name: str, kind: str, where: str | None, repeat: str, about: str) -> FirstLoop:
    opinion = "Bring people back before they forget why they came." if name == "retention" else "Nobody is left alone."
    if where is None:
        condition = "      type: level\n      is: dormant"
    else:
        select = f"SELECT u.{quoted(proposal.key)} FROM {quoted(proposal.table.name)} u\nWHERE {where}"
        condition = f"      type: query\n      query: |\n{indent(select, ' ' * 8)}"
    named = f'{{name: "{{{{user.{proposal.name}}}}}"}}' if proposal.name else '{name: ""}  # no column has a name'
    text = _LOOP.format(
        about=about, name=name, type=kind, opinion=opinion, condition=condition, personalization=named, repeat=repeat
    )
    return FirstLoop(name, text, about)


def _away(proposal: Proposal) -> str | None:
    """Write the condition that a user was not active for a week; None if nothing says so."""
    activity, created = proposal.activity, proposal.created
    if activity is not None and not activity.user:
        return _by_a_column(activity.when, created)
    if activity is not None:
        return _by_rows(proposal, activity, lambda when: _value("a", activity, when))
    if proposal.events is not None:
        events = proposal.events
        found = Activity(events.table.name, events.at, events.user.name)
        return _by_rows(proposal, found, lambda when: _of("a", when.column))
    return None


def _by_a_column(when: When, created: When | None) -> str:
    seen = _of("u", when.column)
    never = when.nullable or when.has_zeros
    if not never or created is None:
        return _before(seen, when)
    joined = _of("u", created.column)
    if when.unit is None and created.unit is None:
        # A zero date counts as NULL.
        return f"COALESCE({seen}, {joined}) < NOW() - INTERVAL {DAYS} DAY"
    absent = f"{seen} IS NULL" + (f" OR {seen} = 0" if when.unit else "")
    return f"({_before(seen, when)})\n   OR (({absent}) AND {_before(joined, created)})"


def _by_rows(proposal: Proposal, activity: Activity, value: Callable[[When], str]) -> str:
    of_events = proposal.events is not None and activity.table == proposal.events.table.name
    named = (proposal.named_by if of_events else None) or proposal.key
    key, user = _of("u", named), _of("a", activity.user)
    if of_events and proposal.events is not None and proposal.events.user.kind != _kind(proposal, named):
        # The number is cast, never the text: a text that is no number would fail, or be 0.
        if proposal.events.user.kind == "text":
            key = f"CAST({key} AS CHAR)"
        else:
            user = f"CAST({user} AS CHAR)"
    rows = f"SELECT 1 FROM {quoted(activity.table)} a\n  WHERE {user} = {key}"
    rows += f" AND a.{activity.only}" if activity.only else ""
    lately = f"NOT EXISTS (\n  {rows} AND {_since(value(activity.when), activity.when)})"
    if proposal.created is not None:
        return f"{_before(_of('u', proposal.created.column), proposal.created)}\nAND {lately}"
    return f"EXISTS (\n  {rows} AND {_before(value(activity.when), activity.when)})\nAND {lately}"


def _kind(proposal: Proposal, name: str) -> str:
    column = proposal.table.column(name)
    return column.kind if column else "other"


def _value(alias: str, activity: Activity, when: When) -> str:
    column = _of(alias, when.column)
    return f"CAST({column} AS SIGNED)" if activity.as_number else column


def _of(alias: str, column: str) -> str:
    return f"{alias}.{quoted(column)}"


def _before(value: str, when: When, days: int = DAYS) -> str:
    """Say that a moment is longer ago; 0 is none."""
    if when.unit is None:
        return f"{value} < NOW() - INTERVAL {days} DAY"
    return f"{value} > 0 AND {value} < {_unix(when, days)}"


def _since(value: str, when: When) -> str:
    return f"{value} >= NOW() - INTERVAL {DAYS} DAY" if when.unit is None else f"{value} >= {_unix(when, DAYS)}"


def _unix(when: When, days: int) -> str:
    return f"UNIX_TIMESTAMP(NOW() - INTERVAL {days} DAY)" + (" * 1000" if when.unit == "milliseconds" else "")
