"""Each table of the pages says what the code says: nothing is missing, nothing invented. One without a rule fails."""

import ast
import configparser
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import click
import pytest
import yaml
from docs_fields import NONE_IN_WORDS, default_of, name_of, parts_of_a_loop, settings_fields, words_of
from docs_pages import ROOT, Table, in_code, tables

from skene_dagster.cli import main
from skene_dagster.cli.group import EXIT_CODES, SUMMARIES
from skene_dagster.cli.words import REASONS
from skene_dagster.edge.app import make_app
from skene_dagster.edge.limits import Limits
from skene_dagster.edge.refusals import busy, long_head, slow_body, too_large, unavailable, unknown_key, wrong
from skene_dagster.errors import StoreTooLarge
from skene_dagster.json_schema import explanations
from skene_dagster.loops.model import FeatureCondition
from skene_dagster.loops.tidb_features import FEATURES
from skene_dagster.project import load_project
from skene_dagster.settings import Feature, Level, Levels, Milestone, ProjectFile, load
from skene_dagster.store import failures
from skene_dagster.store.tables import events, metadata

PACKAGE = ROOT / "skene_dagster"
Rule = Callable[[Table], None]


def same(table: Table, shown: Iterable[object], so: Iterable[object]) -> None:
    """Both directions: what a table shows, and what is so."""
    shown, so = {*shown}, {*so}
    assert shown == so, f"{table.place}: not so: {shown - so or 'nothing'}; not shown: {so - shown or 'nothing'}"


def first(table: Table) -> list[str]:
    """What stands in code in the first column."""
    return [code for _, row in table.rows for code in in_code(row[0])]


def package_text(pattern: str) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(PACKAGE.glob(pattern)))


# The command line


def exit_codes(table: Table) -> None:
    numbers = re.findall(r"^  (\d)  .*$", EXIT_CODES, re.MULTILINE)
    ends_with_4 = {file.stem for file in (PACKAGE / "cli").glob("*.py") if re.search(r"\(LOOK\)", file.read_text())}

    same(table, (row[0] for _, row in table.rows), numbers)
    same(table, in_code(dict(row[:2] for _, row in table.rows)["4"]), ends_with_4)
    assert f"({', '.join(in_code(dict(row[:2] for _, row in table.rows)['4']))})" in EXIT_CODES, str(table.place)


def options_of_a_command(table: Table) -> None:
    name = table.place.heading.removeprefix("skene-dagster ")
    assert name in SUMMARIES, f"{table.place}: there is no command {name!r}"
    command = main.get_command(click.Context(main), name)
    assert command is not None

    own = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    same(table, first(table), [name for parameter in own for name in parameter.opts])
    for parameter in own:
        if isinstance(parameter.default, int | str) and not isinstance(parameter.default, bool):
            row = next(row for _, row in table.rows if parameter.opts[0] in row[0])
            assert f"({parameter.default}" in row[1], f"{table.place}: {parameter.opts[0]}: it is {parameter.default}"


# Loops and settings


def fields_of_a_loop(table: Table) -> None:
    part = parts_of_a_loop().get(table.place.heading)
    assert part is not None, f"{table.place}: no part of a loop is called {table.place.heading!r}"
    said = explanations(part)
    fields = {name_of(name): (name, field) for name, field in part.model_fields.items() if name != "type" or not _is_kind(part)}

    same(table, first(table), fields)
    for line, (shown, default, meaning) in table.rows:
        name, field = fields[in_code(shown)[0]]
        so = default_of(field)
        is_right = default == so or (so is None and default in NONE_IN_WORDS)
        assert is_right, f"{table.at(line)}: the default of {shown} is {so}"
        assert " ".join(said[name].split()) in meaning, f"{table.at(line)}: the code says: {said[name]}"
        if len(words := words_of(field.annotation)) > 1:
            one_of = re.search(r"One of ((?:`\w+`(?:, )?)+)\.", meaning)
            assert one_of is not None and in_code(one_of[1]) == [*words], f"{table.at(line)}: one of {words}"


def _is_kind(part: type) -> bool:
    return len(words_of(part.model_fields["type"].annotation)) == 1  # type: ignore[attr-defined]


def fields_of_settings(table: Table) -> None:
    """A field's own row; that no field is missing over all of the page's tables is a test of its own."""
    so = dict(settings_fields(ProjectFile))
    for line, (shown, default, meaning) in table.rows:
        name = in_code(shown)[0]
        if name == "events":
            # A part that stands for itself: what is read where it is left out.
            continue
        assert name in so, f"{table.at(line)}: skene.yaml has no {name}"
        right = default_of(so[name])
        assert default == right or (right is None and default in NONE_IN_WORDS), f"{table.at(line)}: it is {right}"
        assert meaning, table.at(line)


def variables(table: Table) -> None:
    same(table, first(table), variables_read())
    defaults = {in_code(row[0])[0]: row[1] for _, row in table.rows}
    settings = load(ROOT, {})
    assert defaults["SKENE_ENV"] == f"`{settings.environment}`", str(table.place)
    assert defaults["RESEND_API_URL"] == f"`{settings.resend_url}`", str(table.place)
    assert defaults["SKENE_DATABASE_URL"] == f"`{settings.database_url.replace(f'{ROOT}/', '')}`", str(table.place)


def variables_read() -> set[str]:
    """Every environment variable of ours that the package reads: `environ.get("X")`, and click's `envvar`."""
    read = re.findall(r'environ(?:\.get\(|\[)"(\w+)"|envvar="(\w+)"', package_text("**/*.py"))
    return {name for names in read for name in names if name.startswith(("SKENE_", "RESEND_"))}


# What users do


def levels(table: Table) -> None:
    same(table, first_code_of_each(table), get_args(Level))
    for line, (_, meaning) in table.rows:
        for name, shown in re.findall(r"`levels\.(\w+)` \((\d+)(?: days)?\)", meaning):
            default = Levels.model_fields[name].default
            so = default if isinstance(default, int) else default.days
            assert int(shown) == so, f"{table.at(line)}: levels.{name} is {so} by default"


def first_code_of_each(table: Table) -> list[str]:
    return [in_code(row[0])[0] for _, row in table.rows]


def states_of_a_feature(table: Table) -> None:
    same(table, first(table), words_of(FeatureCondition.model_fields["state"].annotation))
    for line, (_, meaning) in table.rows:
        for name, shown in re.findall(r"`(adopted_uses|adopted_days|lapsed_after)` \((\d+)(?: days)?\)", meaning):
            default = Feature.model_fields[name].default
            assert int(shown) == (default if isinstance(default, int) else default.days), table.at(line)


def kinds_of_milestones(table: Table) -> None:
    same(table, first(table), {*Milestone.model_fields} - {"title", "since"})


def features_of_tidb(table: Table) -> None:
    shown = [(code, row[1]) for _, row in table.rows for code in in_code(row[0])]
    assert shown == [(f"tidb:{name}", feature.title) for name, feature in FEATURES.items()], str(table.place)


# Sending


def states_of_a_batch(table: Table) -> None:
    same(table, first_code_of_each(table), batch_states_in_code())


def batch_states_in_code() -> set[str]:
    """Every state that a statement gives a batch."""
    calls = [node for file in (PACKAGE / "delivery").rglob("*.py") for node in calls_in(file)]
    closing = [call.args[3] for call in calls if ast.unparse(call.func) == "_close"]
    written = [
        word.value
        for call in calls
        if ast.unparse(call.func) == "child_of" or ast.unparse(call.func).startswith("update(batches)")
        for word in call.keywords
        if word.arg == "state"
    ]
    # The first state is that of a row of a page, not of a statement.
    return {"reserved"} | {text for node in (*closing, *written) for text in texts_in(node)}


def calls_in(file: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]


def texts_in(node: ast.AST) -> list[str]:
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def reasons(table: Table) -> None:
    shown: dict[str, str] = {reason: row[1] for _, row in table.rows for reason in in_code(row[0])}
    same(table, shown, REASONS)
    for state, reason in reasons_in_code():
        assert state in shown[reason], f"{table.place}: {reason} is {state}, too"


def reasons_in_code() -> set[tuple[str, str]]:
    """Every state and reason that the code writes down together."""
    found = set()
    states = {"Skip": "skipped", "Defer": "deferred"}
    for call in (call for file in (PACKAGE / "delivery").rglob("*.py") for call in calls_in(file)):
        name = ast.unparse(call.func)
        texts = [text for argument in call.args if isinstance(argument, ast.Constant) for text in texts_in(argument)]
        told = {word.arg: texts_in(word.value) for word in call.keywords}
        if name == "LeftOut" and len(texts) > 1:
            found.add((texts[0], texts[1]))
        elif name in states and texts:
            found.add((states[name], texts[-1]))
        elif told.get("reason") and told.get("state"):
            found.add((told["state"][0], told["reason"][0]))
    return found


# The database


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


# The house


def layers(table: Table) -> None:
    contract = configparser.ConfigParser()
    contract.read(ROOT / ".importlinter", encoding="utf-8")
    so = [re.split(r"\s*\|\s*", line) for line in contract["importlinter:contract:layers"]["layers"].split("\n") if line]
    modules = [in_code(row[0]) for _, row in table.rows]

    assert sorted(sum(modules, [])) == sorted(sum(so, [])), f"{table.place}: the layers are {so}"
    order = sum(so, [])
    depth = {name: n for n, level in enumerate(so) for name in level}
    shown = [depth[name] for level in modules for name in level]
    assert shown == sorted(shown), f"{table.place}: the order is {order}"


def files_that_are_named(table: Table) -> None:
    for line, row in table.rows:
        for code in (code for cell in row for code in in_code(cell)):
            is_a_path = "/" in code and " " not in code
            there = any((folder / code).exists() for folder in (ROOT, PACKAGE, PACKAGE / "delivery"))
            assert there or not is_a_path, f"{table.at(line)}: there is no {code}"


def shipped_loops(table: Table) -> None:
    project = load_project(load(ROOT, {}))
    shown = [re.findall(r"\[(\w+)\]\((\S+)\)", row[0])[0] for _, row in table.rows]

    same(table, shown, [(plan.name, plan.document.file) for plan in project.loops])


def processes(table: Table) -> None:
    """Each is one that compose.yaml starts, with the same command (but for where the workspace lies in the image)."""
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    so = [" ".join(service["command"]) for service in services.values() if service["image"] == "skene"]
    image = "/opt/dagster/workspace.yaml"

    same(table, [in_code(row[1])[0] for _, row in table.rows], {
        command.replace(image, "deploy/workspace.yaml") for command in so if command != "dagster instance migrate"
    })


# Events over HTTP


def paths(table: Table) -> None:
    app = make_app(SimpleNamespace(engine=None), write_key=None)  # type: ignore[arg-type]
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
    made = [wrong(""), too_large(""), long_head(), slow_body(1), unknown_key(), busy(), unavailable()]
    so = {refusal.status for refusal in made} | {200, 415}
    says = " ".join(" ".join(row) for _, row in table.rows)
    limits = Limits()

    same(table, (int(status) for _, row in table.rows for status in re.findall(r"\b([245]\d\d)\b", row[0])), so)
    for refusal in made:
        if wait := refusal.headers.get("retry-after"):
            assert f"{refusal.status}, `Retry-After: {wait}`" in says, f"{table.place}: {refusal.status} says {wait}"
    told = [f"{n:,}" for n in (limits.connections, limits.requests, limits.waiting_events)]
    for so_ in (*told, f"{limits.body_bytes // 2**20} MiB", f"{limits.answer_seconds:g} s", f"{limits.body_seconds:g} s"):
        assert so_ in says, f"{table.place}: {so_} is a limit"


def stored_columns(table: Table) -> None:
    same(table, first_code_of_each(table), events.c.keys())


def says_what_happens(table: Table) -> None:
    """Behaviour, which tests of their own prove: the page names no value that the code has by itself."""
    assert all(all(row) for _, row in table.rows), str(table.place)


RULES: dict[tuple[str, str], Rule] = {
    ("README.md", "loop"): shipped_loops,
    ("ARCHITECTURE.md", "layer"): layers,
    ("ARCHITECTURE.md", "table"): owners,
    ("ARCHITECTURE.md", "promise"): files_that_are_named,
    # Compared with the rules themselves, in test_blocks.py.
    ("CONTRIBUTING.md", "block"): says_what_happens,
    ("docs/cli.md", "exit code"): exit_codes,
    ("docs/cli.md", "option"): options_of_a_command,
    ("docs/deploy.md", "process"): processes,
    ("docs/engagement.md", "level"): levels,
    ("docs/engagement.md", "state"): states_of_a_feature,
    ("docs/engagement.md", "kind"): kinds_of_milestones,
    ("docs/loop-format.md", "field"): fields_of_a_loop,
    ("docs/sending.md", "state"): states_of_a_batch,
    # tests/store/test_what_answers_prove.py, tests/kills
    ("docs/sending.md", "answer"): says_what_happens,
    ("docs/sending.md", "what you do"): says_what_happens,
    ("docs/sending.md", "reason"): reasons,
    ("docs/settings.md", "field"): fields_of_settings,
    ("docs/settings.md", "variable"): variables,
    ("docs/tidb-usage.md", "event"): features_of_tidb,
    ("docs/tidb.md", "it means"): refusals,
    # tests/store/test_track_when_things_die.py
    ("docs/tracking.md", "what happens"): says_what_happens,
    ("docs/tracking.md", "path"): paths,
    ("docs/tracking.md", "answer"): answers,
    ("docs/tracking.md", "column"): stored_columns,
}
"""By the page, and the first word of the header."""

MEASURED = "benchmarks/README.md"
"""Its figures are of dated runs, with the command of each."""


@pytest.mark.parametrize(
    "table", [pytest.param(table, id=f"{table.place} {table.header[0]}") for table in tables() if table.place.page != MEASURED]
)
def test_a_table_says_what_the_code_says(table: Table) -> None:
    rule = RULES.get((table.place.page, table.header[0]))

    assert rule is not None, f"{table.place}: no rule in tests/docs/test_tables.py covers this table"
    rule(table)


def test_no_rule_is_for_a_table_that_no_page_has() -> None:
    assert {*RULES} - {(table.place.page, table.header[0]) for table in tables()} == set()


def test_every_field_of_the_settings_has_a_row() -> None:
    shown = [code for table in tables() if table.place.page == "docs/settings.md" for code in first(table)]

    assert [name for name, _ in settings_fields(ProjectFile) if name not in shown] == []


def test_every_part_of_a_loop_has_a_table() -> None:
    shown = {table.place.heading for table in tables() if table.place.page == "docs/loop-format.md"}
    without_fields = {"`type: manual`"}

    assert {*parts_of_a_loop()} - shown == without_fields


def test_every_command_with_options_has_a_table() -> None:
    shown = {table.place.heading for table in tables() if table.header[0] == "option"}
    with_options = {
        f"skene-dagster {name}"
        for name in SUMMARIES
        if (command := main.get_command(click.Context(main), name)) is not None and any(map(_is_option, command.params))
    }

    assert shown == with_options


def _is_option(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option)
