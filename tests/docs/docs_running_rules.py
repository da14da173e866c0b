"""What the pages say of sending, the database, the house and HTTP: rules for their tables."""

import configparser
import inspect
import re
from dataclasses import fields
from datetime import timedelta
from itertools import chain
from types import SimpleNamespace
from typing import get_args

import yaml
from docs_compare import PACKAGE, first, first_code_of_each, package_text, same
from docs_metadata import keys_reported
from docs_pages import ROOT, Table, in_code, page

from skene_dagster import build_definitions, frames
from skene_dagster.compiler import checks, outcome_reports
from skene_dagster.components import SkeneLoops
from skene_dagster.consent.suppressions import SCOPES, topic_scope
from skene_dagster.delivery.ledger import Bounce, ReceiptCounts
from skene_dagster.delivery.ledger.receipt_counts import MACHINE
from skene_dagster.delivery.model import BatchState, DeferReason, Reason, SkipReason
from skene_dagster.delivery.providers.resend.webhooks import KINDS
from skene_dagster.errors import StoreTooLarge
from skene_dagster.explain.reasons import REASONS
from skene_dagster.feedback.bounces import ABOUT_US_CODES, ABOUT_US_TYPES, FIRST_TIME, FOR_AS_LONG, HARD, IN_A_ROW
from skene_dagster.feedback.breaker import LIMITS
from skene_dagster.feedback.merging import FIRST, LAST
from skene_dagster.incidents.problems import LASTS, Kind
from skene_dagster.outcomes.lift.arms import Pair, People
from skene_dagster.outcomes.lift.smallest import smallest_effect
from skene_dagster.outcomes.lift.verdicts import lift_of_shares
from skene_dagster.outcomes.words import smallest, verdict
from skene_dagster.project import load_project
from skene_dagster.settings import Topic, load
from skene_dagster.store import failures
from skene_dagster.store.tables import events, metadata
from skene_dagster.web.app import make_app
from skene_dagster.web.events.api import events_api
from skene_dagster.web.limits import Limits
from skene_dagster.web.pages.forms import Act
from skene_dagster.web.pages.views import samples
from skene_dagster.web.refusals import busy, long_head, slow_body, too_large, unavailable, unknown_key, wrong


def states_of_a_batch(table: Table) -> None:
    same(table, first_code_of_each(table), get_args(BatchState))


def scopes_of_a_suppression(table: Table) -> None:
    same(table, first_code_of_each(table), (*SCOPES, topic_scope("<name>")))


def events_of_resend(table: Table) -> None:
    shown: dict[str, str] = {type_: row[1] for _, row in table.rows for type_ in in_code(row[0])}
    same(table, shown, KINDS)
    for type_, does in shown.items():
        for moment in (sets[KINDS[type_]] for sets in (FIRST, LAST) if KINDS[type_] in sets):
            assert f"`{moment}`" in does, f"{table.place}: {type_} sets {moment}"


def bounces(table: Table) -> None:
    same(table, first_code_of_each(table), get_args(Bounce))
    says = " ".join(" ".join(row) for _, row in table.rows)
    codes = [f"{code}x" if code.endswith(".") else code for code in ABOUT_US_CODES]
    days = (f"{FOR_AS_LONG.days} days", f"{FIRST_TIME.days} days", f"for {2 * FIRST_TIME.days}")
    for so in (*ABOUT_US_TYPES, *codes, HARD, *days):
        assert so in says, f"{table.place}: {so} counts"
    assert IN_A_ROW == 3


def limits_of_the_breaker(table: Table) -> None:
    same(table, [float(row[1].split()[0]) for _, row in table.rows], [100 * one.rate for one in LIMITS.values()])
    for (_, row), limit in zip(table.rows, LIMITS.values(), strict=True):
        assert limit.many.partition(" ")[0] in row[0], f"{table.place}: {row[0]}"


def kinds_of_problems(table: Table) -> None:
    same(table, first(table), get_args(Kind))
    for line, (kind, why) in table.rows:
        lasts = {str(name): lasts for name, lasts in LASTS.items()}.get(in_code(kind)[0])
        shown = re.search(r"told after (\d+) minutes", why)
        assert (shown and timedelta(minutes=int(shown[1]))) == lasts, table.at(line)


def numbers(table: Table) -> None:
    same(
        table, {name for _, row in table.rows for name in in_code(row[0])}, [one.name for one in fields(ReceiptCounts)]
    )
    assert f"within {MACHINE.seconds} seconds" in " ".join(row[1] for _, row in table.rows), str(table.place)


def values_of_a_page(table: Table) -> None:
    known = samples({"news": Topic(title="News")}, "Orbit")["preferences"]
    of_every_page = {"lang", "dir", "style", "nonce"}
    same(table, {code.partition(".")[0] for code in first(table)}, {*known[0], *of_every_page})
    (done,) = (row[1] for _, row in table.rows if in_code(row[0]) == ["done"])
    same(table, in_code(done), get_args(Act))
    (topics,) = (row[1] for _, row in table.rows if in_code(row[0]) == ["topics"])
    listed = known[0]["topics"]
    assert isinstance(listed, list)
    same(table, {*in_code(topics)} - {"skene.yaml"}, listed[0])


def reasons(table: Table) -> None:
    shown: dict[str, str] = {reason: row[1] for _, row in table.rows for reason in in_code(row[0])}
    same(table, shown, REASONS)
    same(table, shown, get_args(Reason))
    for state, of_it in (("deferred", get_args(DeferReason)), ("skipped", get_args(SkipReason))):
        for reason in of_it:
            assert state in shown[reason], f"{table.place}: {reason} is {state}, too"


def refusals(table: Table) -> None:
    ends = {"is tried again": True, "fails at once": False}
    shown: set[int] = set()
    for line, (_, numbers, run) in table.rows:
        for number in map(int, re.findall(r"\d+", numbers)):
            refusal = next((one for one in failures._REFUSALS if number in one.codes), None)
            if refusal is None:
                assert number in failures._STANDS_FOR_ANYTHING, f"{table.at(line)}: the code knows no {number}"
                continue
            so = refusal.error.retryable if run in ends else issubclass(refusal.error, StoreTooLarge)
            assert so == ends.get(run, True), f"{table.at(line)}: {number}: {refusal.said}"
            shown.add(number)
    by_the_text = failures.NOT_NOW | failures.TOO_LARGE
    same(table, shown - by_the_text, {n for one in failures._REFUSALS for n in one.codes} - by_the_text)


def owners(table: Table) -> None:
    same(table, first_code_of_each(table), paired(table))
    for line, row in table.rows:
        for owner in in_code(row[2]):
            assert (PACKAGE / owner).exists(), f"{table.at(line)}: there is no {owner}"


def paired(table: Table) -> set[str]:
    """The tables; two that share a row are shown by the first."""
    in_second_place = {code for _, row in table.rows for code in in_code(row[0])[1:]}
    release = {"skene_schema_version"}
    assert in_second_place <= {*metadata.tables}, str(table.place)
    return ({*metadata.tables} - in_second_place) | release


def tables_that_grow(table: Table) -> None:
    """The figures are of a dated run; the tables are those that it measures."""
    measured = re.findall(
        r'^    "(skene_\w+)",$', (ROOT / "benchmarks" / "row_bytes.py").read_text("utf-8"), re.MULTILINE
    )

    same(table, first_code_of_each(table), measured)
    same(table, (name for name in measured if name not in metadata.tables), ())


def layers(table: Table) -> None:
    contract = configparser.ConfigParser()
    contract.read(ROOT / ".importlinter", encoding="utf-8")
    so = [
        re.split(r"\s*\|\s*", line) for line in contract["importlinter:contract:layers"]["layers"].split("\n") if line
    ]
    modules = [in_code(row[0]) for _, row in table.rows]

    same(table, chain(*modules), chain(*so))
    depth = {name: n for n, level in enumerate(so) for name in level}
    shown = [depth[name] for level in modules for name in level]
    assert shown == sorted(shown), f"{table.place}: the order is {so}"


def files_that_are_named(table: Table) -> None:
    for line, row in table.rows:
        for code in (code for cell in row for code in in_code(cell)):
            is_a_path = "/" in code and " " not in code
            there = any((folder / code).exists() for folder in (ROOT, PACKAGE))
            assert there or not is_a_path, f"{table.at(line)}: there is no {code}"


def shipped_loops(table: Table) -> None:
    project = load_project(load(ROOT, {}))
    shown = [re.findall(r"\[(\w+)\]\((\S+)\)", row[0])[0] for _, row in table.rows]

    same(table, shown, [(plan.name, plan.document.file) for plan in project.loops])


def verdicts(table: Table) -> None:
    """They are what is said of four comparisons, word for word."""
    so = [
        verdict(lift_of_shares([Pair(People(9_000, reached), People(1_000, 90))], comparable=comparable), a_week=60_000)
        for reached, comparable in ((1_080, True), (540, True), (855, True), (1_080, False))
    ]

    same(
        table, chain(*(in_code(row[0]) for _, row in table.rows)), [*so, smallest(smallest_effect(0.09, 10_902, 1_208))]
    )


def processes(table: Table) -> None:
    """Each is one that compose.yaml starts, with the same command (but for where the workspace lies in the image)."""
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    so = [" ".join(service["command"]) for service in services.values() if service["image"] == "skene"]
    image = "/opt/dagster/workspace.yaml"

    same(
        table,
        [in_code(row[1])[0] for _, row in table.rows],
        {command.replace(image, "deploy/workspace.yaml") for command in so if command != "dagster instance migrate"},
    )


def paths(table: Table) -> None:
    app = make_app([events_api(SimpleNamespace(engine=None), write_key=None)])  # type: ignore[arg-type]
    methods = {"GET", "POST"}
    so = {(method, route.path) for route in app.routes for method in (route.methods or ()) if method in methods}  # type: ignore[attr-defined]
    shown = set()
    for line, row in table.rows:
        method = re.match(r"`(GET|POST) ", row[0])
        assert method is not None, table.at(line)
        shown |= {(method[1], code.removeprefix(f"{method[1]} ")) for code in in_code(row[0])}

    same(table, shown, so)
    limits = Limits()
    says = " ".join(row[1] for _, row in table.rows)
    for so_ in (f"{limits.message_bytes // 1024} kB", f"{limits.batch_bytes // 1024} kB", f"{limits.batch_messages:,}"):
        assert so_ in says, f"{table.place}: {so_} is a limit"


def answers(table: Table) -> None:
    made = [wrong(""), too_large(""), long_head(), slow_body(1), unknown_key(), busy(), unavailable("")]
    so = {refusal.status for refusal in made} | {200, 415}
    says = " ".join(" ".join(row) for _, row in table.rows)
    limits = Limits()

    same(table, (int(status) for _, row in table.rows for status in re.findall(r"\b([245]\d\d)\b", row[0])), so)
    for refusal in made:
        if wait := refusal.headers.get("retry-after"):
            assert f"{refusal.status}, `Retry-After: {wait}`" in says, f"{table.place}: {refusal.status} says {wait}"
    told = [f"{n:,}" for n in (limits.connections, limits.requests, limits.waiting_events)]
    for so_ in (
        *told,
        f"{limits.body_bytes // 2**20} MiB",
        f"{limits.answer_seconds:g} s",
        f"{limits.body_seconds:g} s",
    ):
        assert so_ in says, f"{table.place}: {so_} is a limit"


def keys_of_metadata(table: Table) -> None:
    """Every key that the code reports; and of what else is shown, the name stands somewhere in the package."""
    shown, so = {*first(table)}, {key for keys in keys_reported().values() for key in keys}
    assert so - shown == set(), f"{table.place}: not shown: {so - shown}"
    text = package_text("**/*.py")
    assert [key for key in shown - so if "{}" not in key and key not in text] == [], str(table.place)


def asset_checks(table: Table) -> None:
    same(table, first(table), {checks.IN_DOUBT, checks.MAY_SEND, outcome_reports.MEASURED, outcome_reports.NO_HARM})


def jobs_of_dagster(table: Table) -> None:
    so = re.findall(r'^NAME = "(\w+)"$', package_text("compiler/jobs/*.py"), re.MULTILINE)
    same(table, first(table), so)


def numbers_to_watch(table: Table) -> None:
    (metadata,) = (one for one in page("docs/dagster.md").tables if one.header[0] == "key")
    same(table, (key for key in first(table) if re.sub(r"_\w+ed(?=_rate$)", "_{}", key) not in first(metadata)), ())


def functions_of_frames(table: Table) -> None:
    same(table, first_code_of_each(table), frames.__all__)


def arguments_of_mounting(table: Table) -> None:
    """Of the function and of the component, whose names differ for two."""
    taken = {*inspect.signature(build_definitions).parameters, *(field.name for field in fields(SkeneLoops))}
    same(table, {code for _, row in table.rows for code in in_code(row[0])}, taken)


def stored_columns(table: Table) -> None:
    same(table, first_code_of_each(table), events.c.keys())


def says_what_happens(table: Table) -> None:
    """Behaviour, which tests of their own prove: the page names no value that the code has by itself."""
    assert all(all(row) for _, row in table.rows), str(table.place)
