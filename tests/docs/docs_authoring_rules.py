"""What the pages say of commands, loops, settings and what users do: rules for their tables."""

import inspect
import re
from typing import get_args

import click
from commands import every
from docs_compare import first, first_code_of_each, package_text, same
from docs_fields import NONE_IN_WORDS, default_of, name_of, parts_of_a_loop, settings_fields, words_of
from docs_pages import ROOT, Table, in_code

from skene_dagster.cli.group import EXIT_CODES
from skene_dagster.consent.imports.formats import FORMATS
from skene_dagster.delivery.providers import resend
from skene_dagster.json_schema import explanations
from skene_dagster.loops.model import FeatureCondition
from skene_dagster.loops.tidb_features import FEATURES
from skene_dagster.settings import Feature, Level, Levels, Milestone, ProjectFile, load


def exit_codes(table: Table) -> None:
    numbers = re.findall(r"^  (\d)  .*$", EXIT_CODES, re.MULTILINE)
    ends_with_4 = {name for name, command in every().items() if re.search(r"\(LOOK\)", source(command))}

    same(table, (row[0] for _, row in table.rows), numbers)
    (look,) = (in_code(meaning) for _, (code, meaning, _) in table.rows if code == "4")
    same(table, look, ends_with_4)
    assert f"({', '.join(look)})" in " ".join(EXIT_CODES.split()), f"{table.place}: --help names others"


def source(command: click.Command) -> str:
    """The text of the module that a command is in."""
    assert command.callback is not None
    module = inspect.getmodule(inspect.unwrap(command.callback))
    assert module is not None
    return inspect.getsource(module)


def options_of_a_command(table: Table) -> None:
    name = table.place.heading.removeprefix("skene-dagster ")
    command = every().get(name)
    assert command is not None, f"{table.place}: there is no command {name!r}"

    own = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    same(table, first(table), [name for parameter in own for name in parameter.opts])
    for parameter in own:
        if isinstance(parameter.default, int | str) and not isinstance(parameter.default, bool):
            row = next(row for _, row in table.rows if parameter.opts[0] in row[0])
            assert f"({parameter.default}" in row[1], f"{table.place}: {parameter.opts[0]}: it is {parameter.default}"


def exports(table: Table) -> None:
    """Each row's columns are recognised as one export, and no other."""
    shown = []
    for line, (_, columns, scope) in table.rows:
        names = [name.lower() for name in in_code(columns)]
        found = [one for one in FORMATS if one.fits(names)]
        assert found, f"{table.at(line)}: nothing is recognised by {names}"
        shown.append(found[0])
        kinds = {kind[0] for kind in (*(found[0].words or {}).values(), found[0].kind) if kind}
        assert not kinds or kinds == {*in_code(scope)}, f"{table.at(line)}: it is {kinds}"
    assert shown == [*FORMATS], f"{table.place}: the exports are {[one.name for one in FORMATS]}"


def fields_of_a_loop(table: Table) -> None:
    part = parts_of_a_loop().get(table.place.heading)
    assert part is not None, f"{table.place}: no part of a loop is called {table.place.heading!r}"
    said = explanations(part)
    fields = {
        name_of(name): (name, field)
        for name, field in part.model_fields.items()
        if name != "type" or not _is_kind(part)
    }

    same(table, first(table), fields)
    for line, (shown, default, meaning) in table.rows:
        name, field = fields[in_code(shown)[0]]
        so = default_of(field)
        is_right = default == so or (so is None and default in NONE_IN_WORDS)
        assert is_right, f"{table.at(line)}: the default of {shown} is {so}"
        assert " ".join(said[name].split()) in meaning, f"{table.at(line)}: the code says: {said[name]}"
        if len(words := words_of(field.annotation)) > 1:
            one_of = re.search(r"One of ((?:`\w+`(?:, )?)+)\.", meaning)
            assert one_of is not None, f"{table.at(line)}: one of {words}"
            assert in_code(one_of[1]) == [*words], f"{table.at(line)}: one of {words}"


def _is_kind(part: type) -> bool:
    return len(words_of(part.model_fields["type"].annotation)) == 1  # type: ignore[attr-defined]


def fields_of_settings(table: Table) -> None:
    """A field's own row; that no field is missing over all of the page's tables is a test of its own."""
    so = {name: (field, said) for name, field, said in settings_fields(ProjectFile)}
    for line, (shown, default, meaning) in table.rows:
        name = in_code(shown)[0]
        if name == "events":
            # The part as a whole: what is read where it is left out.
            continue
        assert name in so, f"{table.at(line)}: skene.yaml has no {name}"
        field, said = so[name]
        right = default_of(field)
        assert default == right or (right is None and default in NONE_IN_WORDS), f"{table.at(line)}: it is {right}"
        assert " ".join(said.split()) in meaning, f"{table.at(line)}: the code says: {said}"


def variables(table: Table) -> None:
    same(table, first(table), variables_read())
    defaults = {in_code(row[0])[0]: row[1] for _, row in table.rows}
    settings = load(ROOT, {})
    assert defaults["SKENE_ENV"] == f"`{settings.environment}`", str(table.place)
    assert defaults["RESEND_API_URL"] == f"`{resend.URL}`", str(table.place)
    assert defaults["SKENE_DATABASE_URL"] == f"`{settings.database_url.replace(f'{ROOT}/', '')}`", str(table.place)


def variables_read() -> set[str]:
    """Every environment variable of ours that the package reads: `environ.get("X")`, and click's `envvar`."""
    read = re.findall(r'environ(?:\.get\(|\[)"(\w+)"|envvar="(\w+)"', package_text("**/*.py"))
    return {name for names in read for name in names if name.startswith(("SKENE_", "RESEND_"))}


def levels(table: Table) -> None:
    same(table, first_code_of_each(table), get_args(Level))
    for line, (_, meaning) in table.rows:
        for name, shown in re.findall(r"`levels\.(\w+)` \((\d+)(?: days)?\)", meaning):
            default = Levels.model_fields[name].default
            so = default if isinstance(default, int) else default.days
            assert int(shown) == so, f"{table.at(line)}: levels.{name} is {so} by default"


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
