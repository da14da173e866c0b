"""What the pages write within a sentence, in the smallest file that gives it its meaning."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_fields import name_of, parts_of, parts_of_a_loop
from docs_pages import Code, code
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

import skene_dagster
from skene_dagster.delivery.email.templates.values import compile_value
from skene_dagster.errors import SettingsError
from skene_dagster.loops.plan import AtLevel, InState, Reached, UsedUp
from skene_dagster.loops.planning.conditions import columns_of
from skene_dagster.project import load_project
from skene_dagster.settings import ProjectFile, load
from skene_dagster.yaml_document import parse_yaml

SETTINGS = """\
users: {created_at: created_at, plan: plan}
sender: {from: hello@example.com}
features: {export: {title: Export, events: [Exported]}}
milestones: {tenth_order: {title: Your tenth order, event: Ordered, count: 10}}
"""

LOOP = """\
type: retention
steps:
  - trigger: {type: manual}
    condition: CONDITION
    action: {type: email, template: hello, transactional: true}
"""

MJML = """\
<mjml><mj-head><mj-title>Hello</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column>
</mj-section></mj-body></mjml>
"""

CONDITIONS = [found for found in code() if re.match(r"\{type: ", found.text)]
EXPRESSIONS = [found for found in code() if re.match(r"\{\{.*\}\}", found.text) and "<" not in found.text]
VALUES = [found for found in code() if re.match(r"[a-z_.]+: \S", found.text)]

OF_THE_AUTHORS = {"analyst"}
"""Names in the pages that an author chooses: a database user."""

COLUMNS = {
    "`type: level`": columns_of(AtLevel("dormant", None)),
    "`type: feature`": columns_of(InState("export", "tried", None)),
    "`type: milestone`": columns_of(Reached("tenth_order")),
    "`type: usage`": columns_of(UsedUp((), None, None)),  # type: ignore[arg-type]
}
"""What an email can show of a condition's rows, by the heading about it."""


def by_place(found: list[Code]) -> list[object]:
    return [pytest.param(one, id=f"{one.place} {one.text}") for one in found]


@pytest.mark.parametrize("fragment", by_place(CONDITIONS))
def test_a_condition_is_one_that_a_loop_can_have(fragment: Code, tmp_path: Path) -> None:
    for folder in ("loops", "templates"):
        (tmp_path / folder).mkdir()
    (tmp_path / "skene.yaml").write_text(SETTINGS)
    (tmp_path / "templates" / "hello.mjml").write_text(MJML)
    (tmp_path / "templates" / "hello.txt").write_text("Hello\n")
    (tmp_path / "loops" / "loop.yaml").write_text(LOOP.replace("CONDITION", fragment.text))

    project = load_project(load(tmp_path, {}))

    assert [f"{fragment.place}: {broken.error}" for broken in project.broken] == []


@pytest.mark.parametrize("fragment", by_place(EXPRESSIONS))
def test_an_expression_can_be_evaluated(fragment: Code) -> None:
    compile_value(fragment.text)


@pytest.mark.parametrize(("heading", "columns"), COLUMNS.items())
def test_what_an_email_can_show_of_a_condition_is_listed(heading: str, columns: tuple[str, ...]) -> None:
    shown = [found.text[6:-2] for found in EXPRESSIONS if found.place.heading == heading]

    assert tuple(shown) == columns


@pytest.mark.parametrize("fragment", by_place(VALUES))
def test_a_value_is_one_that_its_field_takes(fragment: Code) -> None:
    path, _, value = fragment.text.partition(": ")
    fields = [field for name, field in all_fields() if name == path.rpartition(".")[2]]
    if path in OF_THE_AUTHORS:
        return

    assert fields, f"{fragment.place}: there is no field {path}"
    assert any(takes(field, value) for field in fields), f"{fragment.place}: no field {path} takes {value}"


def takes(field: FieldInfo, value: str) -> bool:
    try:
        TypeAdapter[object](field.rebuild_annotation()).validate_python(
            parse_yaml(f"value: {value}", "a page", SettingsError).data["value"]
        )
    except ValidationError:
        return False
    return True


def all_fields() -> Iterator[tuple[str, FieldInfo]]:
    roots: list[type[BaseModel]] = [ProjectFile, *parts_of_a_loop().values()]
    for root in roots:
        for part in {root, *parts_of(root)}:
            yield from ((name_of(name), field) for name, field in part.model_fields.items())


@pytest.mark.parametrize("name", ["track", "flush"])
def test_a_function_is_called_as_the_page_says(name: str) -> None:
    (written,) = (found for found in code() if re.fullmatch(rf"(skene_dagster\.)?{name}\(\w+.*=.*\)", found.text))
    parameters = inspect.signature(getattr(skene_dagster, name)).parameters.values()
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]

    assert written.text.removeprefix("skene_dagster.") == f"{name}{inspect.Signature(plain)}", str(written.place)
