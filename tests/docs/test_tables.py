"""Each table of the pages says what the code says: nothing is missing, nothing invented. One without a rule fails."""

from collections.abc import Callable

import click
import docs_authoring_rules as authoring
import docs_running_rules as running
import pytest
from commands import every
from docs_codes import codes
from docs_compare import first
from docs_fields import parts_of_a_loop, settings_fields
from docs_pages import Table, tables

from skene_dagster.settings import ProjectFile

Rule = Callable[[Table], None]

RULES: dict[tuple[str, str], Rule] = {
    ("README.md", "loop"): running.shipped_loops,
    ("ARCHITECTURE.md", "layer"): running.layers,
    ("ARCHITECTURE.md", "table"): running.owners,
    ("ARCHITECTURE.md", "promise"): running.files_that_are_named,
    # Compared with the rules themselves, in test_blocks.py.
    ("CONTRIBUTING.md", "block"): running.says_what_happens,
    ("docs/alerts.md", "kind"): running.kinds_of_problems,
    ("docs/cli.md", "exit code"): authoring.exit_codes,
    ("docs/cli.md", "export"): authoring.exports,
    ("docs/cli.md", "option"): authoring.options_of_a_command,
    ("docs/consent.md", "scope"): running.scopes_of_a_suppression,
    ("docs/consent.md", "value"): running.values_of_a_page,
    ("docs/dagster-project.md", "argument"): running.arguments_of_mounting,
    ("docs/deploy.md", "process"): running.processes,
    ("docs/errors.md", "code"): codes,
    ("docs/engagement.md", "level"): authoring.levels,
    ("docs/engagement.md", "state"): authoring.states_of_a_feature,
    ("docs/engagement.md", "kind"): authoring.kinds_of_milestones,
    ("docs/feedback.md", "event"): running.events_of_resend,
    ("docs/feedback.md", "bounce"): running.bounces,
    ("docs/feedback.md", "number"): running.numbers,
    # tests/store/test_clock_functions.py
    ("docs/loop-format.md", "function"): running.says_what_happens,
    ("docs/loop-format.md", "field"): authoring.fields_of_a_loop,
    ("docs/frames.md", "function"): running.functions_of_frames,
    ("docs/outcomes.md", "verdict"): running.verdicts,
    ("docs/sending.md", "state"): running.states_of_a_batch,
    # tests/store/test_what_answers_prove.py, tests/kills
    ("docs/sending.md", "answer"): running.says_what_happens,
    # tests/store/test_wrong_clocks.py
    ("docs/sending.md", "what happens"): running.says_what_happens,
    ("docs/sending.md", "what lies ahead"): running.says_what_happens,
    ("docs/sending.md", "what you do"): running.says_what_happens,
    ("docs/sending.md", "reason"): running.reasons,
    ("docs/feedback.md", "what comes back"): running.limits_of_the_breaker,
    ("docs/settings.md", "field"): authoring.fields_of_settings,
    ("docs/settings.md", "variable"): authoring.variables,
    # test_kept.py
    ("docs/settings.md", "table"): running.says_what_happens,
    ("docs/tidb-usage.md", "event"): authoring.features_of_tidb,
    ("docs/tidb.md", "it means"): running.refusals,
    ("docs/tidb.md", "table"): running.tables_that_grow,
    # tests/store/test_track_when_things_die.py
    ("docs/tracking.md", "what happens"): running.says_what_happens,
    ("docs/tracking.md", "path"): running.paths,
    ("docs/tracking.md", "answer"): running.answers,
    ("docs/tracking.md", "column"): running.stored_columns,
}
"""By the page, and the first word of the header."""

MEASURED = "benchmarks/README.md"
"""Its figures are of dated runs, with the command of each."""


@pytest.mark.parametrize(
    "table",
    [pytest.param(table, id=f"{table.place} {table.header[0]}") for table in tables() if table.place.page != MEASURED],
)
def test_a_table_says_what_the_code_says(table: Table) -> None:
    rule = RULES.get((table.place.page, table.header[0]))

    assert rule is not None, f"{table.place}: no rule in tests/docs/test_tables.py covers this table"
    rule(table)


def test_no_rule_is_for_a_table_that_no_page_has() -> None:
    assert {*RULES} - {(table.place.page, table.header[0]) for table in tables()} == set()


def test_every_field_of_the_settings_has_a_row() -> None:
    shown = [code for table in tables() if table.place.page == "docs/settings.md" for code in first(table)]

    assert [name for name, *_ in settings_fields(ProjectFile) if name not in shown] == []


def test_every_part_of_a_loop_has_a_table() -> None:
    shown = {table.place.heading for table in tables() if table.place.page == "docs/loop-format.md"}
    without_fields = {"`type: manual`"}

    assert {*parts_of_a_loop()} - shown == without_fields


def test_every_command_with_options_has_a_table() -> None:
    shown = {table.place.heading for table in tables() if table.header[0] == "option"}
    with_options = {
        f"skene-dagster {name}" for name, command in every().items() if any(map(_is_option, command.params))
    }

    assert shown == with_options


def _is_option(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option)
