"""Numbers that the pages give, compared with the code: a sentence of a page, and what the code has."""

import re
from dataclasses import fields
from datetime import timedelta

import pytest
from docs_pages import ROOT, in_code, page

from skene_dagster import durations, files, tracking, values
from skene_dagster.behaviour import event, events
from skene_dagster.checks import scans
from skene_dagster.compiler.jobs import wake
from skene_dagster.compiler.jobs.retention import DAILY
from skene_dagster.compiler.jobs.tidb_usage import HOURLY
from skene_dagster.delivery import backup_recovery, health, reconcile, retention
from skene_dagster.delivery.decide.arbiter.today import DaysBudget
from skene_dagster.delivery.email import headers
from skene_dagster.delivery.email.templates import looks, trees
from skene_dagster.delivery.health import StepCounts, StepHealth, Wait
from skene_dagster.delivery.ledger import reading, sending
from skene_dagster.delivery.providers.resend import TERMS, provider
from skene_dagster.delivery.providers.smtp import conversation
from skene_dagster.delivery.send import pacing, records, session
from skene_dagster.explain.model import (
    AddressHealth,
    CapRoom,
    Coming,
    Explained,
    Happened,
    Outside,
    Person,
    TopicState,
)
from skene_dagster.feedback.inbox import Heard
from skene_dagster.incidents import failures as incident_failures
from skene_dagster.incidents import messages, record
from skene_dagster.incidents.problems import Problem
from skene_dagster.loops import dialect, names
from skene_dagster.outcomes.lift import arms, differences, sample_ratio, smallest, verdicts
from skene_dagster.outcomes.lift.values import CAPPED_AT, FEWEST_VALUES
from skene_dagster.product import attributes
from skene_dagster.segments import refresh
from skene_dagster.segments.parts import Checked
from skene_dagster.segments.triggers import trigger_windows
from skene_dagster.settings.retention import LEAST
from skene_dagster.store import failures
from skene_dagster.tracking import buffer
from skene_dagster.web.limits import Limits

HTTP = Limits()


def days(time: timedelta) -> float:
    return time / timedelta(days=1)


def minutes(time: timedelta) -> float:
    return time / timedelta(minutes=1)


CLAIMS: list[tuple[str, str, list[float]]] = [
    ("alerts.md", r"missed by more than (\d+) minutes", [minutes(health.GRACE)]),
    ("alerts.md", r"pass by itself counts after (\d+) minutes", [minutes(incident_failures.MAY_PASS)]),
    ("alerts.md", r"waits (\d+) seconds for all answers together", [wake.TELL_SECONDS]),
    ("alerts.md", r"until it was gone for (\d+) minutes", [minutes(record.CALM)]),
    ("alerts.md", r"kept for (\d+) days after their end", [days(record.KEPT)]),
    ("alerts.md", r"Slack gets the first (\w+),", [messages.SHOWN]),
    ("cli.md", r"more than ([\d,]+) rows\) a condition reads", [scans.BIG]),
    ("cli.md", r"counts them, up to ([\d,]+)", [scans.BIG + 1]),
    ("cli.md", r"missed by more than (\d+) minutes", [minutes(health.GRACE)]),
    ("outcomes.md", r"score interval, from (\d+) users in each", [arms.FEWEST_PEOPLE]),
    ("outcomes.md", r"accounts differ; from (\d+) accounts in each", [arms.FEWEST_ACCOUNTS]),
    ("outcomes.md", r"capped at the (\d+) % quantile", [float(100 * CAPPED_AT)]),
    ("outcomes.md", r"from (\d+) users with a value in each", [FEWEST_VALUES]),
    (
        "outcomes.md",
        r"if the ([\d.]+) % interval lies below 0, from (\d+) users",
        [100 * verdicts.SURE_OF_HARM, verdicts.FEWEST_FOR_HARM],
    ),
    ("outcomes.md", r"The (\d+) % interval of the difference", [100 * differences.LEVEL]),
    ("outcomes.md", r"unequal in less than ([\d.]+) % of all", [100 * sample_ratio.ALARM_BELOW]),
    ("outcomes.md", r"is noticed in (\d+) % of all cases", [100 * smallest.POWER]),
    ("loop-format.md", r"more than nothing, at most (\w+) years", [durations._LONGEST / 86400 / 365]),
    ("loop-format.md", r"A file has at most (\d+) KiB", [files.LARGEST / 1024]),
    ("loop-format.md", r"KiB, ([\d,]+) values, and values nested (\d+) deep", [values.MOST_VALUES, values.DEEPEST]),
    ("loop-format.md", r"a folder at most ([\d,]+) names", [files.MOST_NAMES]),
    ("loop-format.md", r"a letter first, at most (\d+) characters", [names.LONGEST]),
    ("loop-format.md", r"At most ([\d,]+) characters and ([\d,]+) words", [dialect.LONGEST, dialect.MOST_WORDS]),
    (
        "loop-format.md",
        r"texts of more than ([\d,]+) characters, more than ([\d,]+) steps",
        [looks.LONGEST, looks.MOST_WORK],
    ),
    ("loop-format.md", r"texts filled up to more than ([\d,]+) characters", [looks.WIDEST]),
    ("loop-format.md", r"nested at most (\d+) deep, tags", [trees.DEEPEST]),
    ("loop-format.md", r"subject is cut after (\d+) characters", [headers.LONGEST_SUBJECT]),
    ("loop-format.md", r"may have (\d+) KB each", [headers.LARGEST_HTML / 1024]),
    ("loop-format.md", r"After (\d+) hours without an answer", [minutes(TERMS.key_lives) / 60]),
    ("loop-format.md", r"may have ([\d,]+) bytes together", [attributes.LARGEST]),
    ("loop-format.md", r"as `timeout` says, and (\w+) minutes more", [minutes(trigger_windows.LATE)]),
    ("sending.md", r"bytes of up to (\d+) emails", [TERMS.batch_limit]),
    ("sending.md", r"due; reconcile (\d+) minutes later", [minutes(reading.RECONCILED_AFTER)]),
    ("sending.md", r"one process for (\d+) seconds at a time", [reading.LEASE.total_seconds()]),
    ("sending.md", r"same bytes again under the same key, for (\d+) hours", [minutes(TERMS.key_lives) / 60]),
    ("sending.md", r"after (\w+) attempts in a row", [session.GIVE_UP]),
    (
        "sending.md",
        r"due (\d+) second after its attempt, then 2, 4, 8 … and at most (\d+) minutes",
        [sending.FIRST_WAIT.total_seconds(), minutes(sending.LONGEST_OWN_WAIT)],
    ),
    (
        "sending.md",
        r"the first at least (\d+) minutes after the last attempt without answer, the second (\d+) minutes later",
        [minutes(TERMS.proves_after or timedelta(0)), minutes(records.BETWEEN_LOOKS)],
    ),
    ("sending.md", r"they are asked again every (\d+) minutes", [minutes(records.ASKED_AGAIN)]),
    ("sending.md", r"takes up new batches for (\d+) minutes at most", [minutes(reconcile.LONGEST)]),
    ("sending.md", r"at most ([\d,]+) calls to find one batch", [provider.CALLS]),
    ("sending.md", r"With Resend it starts at (\d+) calls a second", [TERMS.starts_at]),
    ("sending.md", r"only this email waits, for (\d+) minutes", [conversation.GREYLISTED / 60]),
    ("sending.md", r"unreadable one, within (\d+) seconds", [conversation.WHOLE]),
    ("sending.md", r"is sent again after (\d+) hours, under the same", [minutes(records.RISKED_EVERY) / 60]),
    ("sending.md", r"of (\d+) % of them: the rest", [pacing.MARGIN * 100]),
    ("sending.md", r"fewer than (\d+) batches of others", [backup_recovery.LOOKS]),
    ("settings.md", r"At least (\d+) days each", [days(LEAST)]),
    ("settings.md", r"each night at (\d+):(\d+) \(UTC\)", [*map(int, DAILY.split()[1::-1])]),
    ("settings.md", r"\(UTC\), ([\d,]+) rows to a transaction", [retention.CHUNK]),
    ("tidb.md", r"Transactions are short: ([\d,]+) keys", [refresh.CHUNK]),
    ("tidb.md", r"([\d,]+) rows of what is deleted, (\d+) emails", [retention.CHUNK, TERMS.batch_limit]),
    ("tidb-usage.md", r"each hour \(UTC, at minute (\d+)\)", [int(HOURLY.split()[0])]),
    ("tracking.md", r"within a second or ([\d,]+) events", [buffer.BATCH]),
    ("tracking.md", r"tried again, up to ([\d,]+) events", [buffer.LIMIT]),
    ("tracking.md", r"the end waits (\d+) seconds for it", [tracking.EXIT_SECONDS]),
    ("tracking.md", r"1 to (\d+) characters without control", [event.NAME_LENGTH]),
    ("tracking.md", r"committed within (\d+) seconds of it", [events.SETTLED_WITHIN.total_seconds()]),
    ("tracking.md", r"a JSON object of up to (\d+) kB", [event.PROPERTIES_BYTES / 1024]),
    ("tracking.md", r"headers may have (\d+) kB and (\d+) headers", [HTTP.head_bytes / 1024, HTTP.headers]),
    ("tracking.md", r"idle for (\d+) s is closed", [HTTP.idle_seconds]),
    ("tracking.md", r"dropped, up to (\d+) MiB and (\d+) s", [HTTP.unread_bytes / 2**20, HTTP.unread_seconds]),
    ("tracking.md", r"hangs that takes (\d+) s, and the answer is 503", [HTTP.answer_seconds]),
]
"""The page, a pattern with the numbers, and what they are. A sentence that is written anew needs its pattern anew."""

IN_WORDS = {"three": 3, "ten": 10}


@pytest.mark.parametrize(
    ("name", "pattern", "so"), [pytest.param(*claim, id=f"{claim[0]}: {claim[1]}") for claim in CLAIMS]
)
def test_a_number_is_that_of_the_code(name: str, pattern: str, so: list[float]) -> None:
    text = " ".join((ROOT / "docs" / name).read_text(encoding="utf-8").split())

    found = re.findall(pattern, text)

    assert len(found) == 1, f"docs/{name} says it {len(found)} times: {pattern}"
    numbers = [found[0]] if isinstance(found[0], str) else [*found[0]]
    assert [IN_WORDS.get(number) or float(number.replace(",", "")) for number in numbers] == so, (
        f"docs/{name}: {pattern}"
    )


def test_the_errors_that_are_done_again_are_those_of_the_code() -> None:
    text = " ".join((ROOT / "docs" / "tidb.md").read_text(encoding="utf-8").split())
    again = re.search(r"conflicts \(([^)]*)\)", text)
    later = re.search(r"a cluster in trouble \(([^)]*)\)", text)

    assert again is not None
    assert later is not None
    assert numbers_in(again[1]) == failures.WHOLE_TRANSACTION_AGAIN
    assert numbers_in(later[1]) == failures.NOT_NOW


def numbers_in(text: str) -> set[int]:
    """Read numbers, and ranges that are written with a dash, as what they mean."""
    found = set()
    for first, last in re.findall(r"(\d+)(?:\u2013(\d+))?", text):
        found |= {*range(int(first), int(last or first) + 1)}
    return found


def test_what_status_says_to_programs_is_listed() -> None:
    (row,) = (
        row
        for table in page("docs/cli.md").tables
        for _, row in table.rows
        if "--json" in row[0] and "`steps`" in row[1]
    )
    told = re.search(r"each with ([^)]*)\), (.*)\. `waits` has for each reason (.*)\.$", row[1])

    assert told is not None
    assert {*in_code(told[1])} == {
        *(field.name for field in (*fields(StepHealth), *fields(StepCounts))),
        "late",
    }
    assert in_code(told[2]) == [
        "problems",
        *(field.name for field in fields(Problem)),
        "words",
        "not_told",
        "--tell",
        "judgements",
        "*",
        "budgets",
        *(field.name for field in fields(DaysBudget)),
        "erasing",
        "erased_at",
        "ends_at",
        "batches",
        "mode",
        "feedback",
        *(field.name for field in fields(Heard)),
    ]
    assert in_code(told[3]) == [field.name for field in fields(Wait)]


def test_what_why_says_to_programs_is_listed() -> None:
    (row,) = (row for table in page("docs/cli.md").tables for _, row in table.rows if "`on_record`" in row[1])
    kinds = {
        "person": Person,
        "topics": TopicState,
        "address": AddressHealth,
        "caps": CapRoom,
        "coming": Coming,
        "happened": Happened,
        "outside": Outside,
        "parts": Checked,
    }
    told = {name: re.search(rf"`{name}` has ([^.;]*)[.;]", row[1]) for name in kinds}
    user = re.search(r"A user has ([^.]*)\.", row[1])

    assert user is not None
    assert in_code(user[1]) == [field.name for field in fields(Explained)]
    for name, kind in kinds.items():
        found = told[name]
        assert found is not None, name
        # The key itself is its text, `user`.
        assert in_code(found[1]) == [field.name for field in fields(kind) if field.name != "key"], name
