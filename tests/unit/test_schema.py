"""The JSON Schemas of loops and settings are current and take what the models take; the format's page is whole."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from skene_dagster.documents import Spec
from skene_dagster.json_schema import explanations, text
from skene_dagster.loops import model
from skene_dagster.loops.files.loaders import load_file
from skene_dagster.loops.model import Loop
from skene_dagster.loops.schema import loop_schema
from skene_dagster.settings import ProjectFile, read_settings
from skene_dagster.settings.schema import settings_schema

ROOT = Path(__file__).parents[2]
MODELS = [
    found for found in vars(model).values() if isinstance(found, type) and issubclass(found, Spec) and found is not Spec
]
STEP: dict[str, Any] = {
    "trigger": {"type": "schedule", "cron": "0 9 * * *"},
    "condition": {"type": "query", "query": "SELECT id FROM users"},
    "action": {"type": "email", "template": "hello"},
}


FEATURE = {"title": "Export", "events": ["exported"]}


def valid(data: object, schema: dict[str, Any]) -> bool:
    found: bool = Draft202012Validator(schema).is_valid(data)
    return found


def loads(data: object, file: type[BaseModel]) -> bool:
    try:
        file.model_validate(data)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("schema", "module", "file"),
    [
        pytest.param(loop_schema(), "skene_dagster.loops.schema", "skene_dagster/loops/loop.schema.json", id="loop"),
        pytest.param(
            settings_schema(),
            "skene_dagster.settings.schema",
            "skene_dagster/settings/skene.schema.json",
            id="settings",
        ),
    ],
)
def test_the_committed_schema_is_that_of_the_models(schema: dict[str, Any], module: str, file: str) -> None:
    committed = (ROOT / file).read_text(encoding="utf-8")

    Draft202012Validator.check_schema(schema)
    assert committed == text(schema), f"run: python -m {module} > {file}"


@pytest.mark.parametrize(
    "file",
    [
        "loops/skene.config.ts",
        "tests/loops/seed.yaml",
        "tests/loops/seed.py",
        "tests/loops/activation.ts",
        "tests/loops/freemium.ts",
        *(str(file.relative_to(ROOT)) for file in sorted((ROOT / "loops").glob("*.yaml"))),
    ],
)
def test_the_known_loops_are_valid(file: str) -> None:
    loaded = load_file(ROOT / file, ROOT)

    assert loaded.document is not None
    assert valid(loaded.document.data, loop_schema())


@pytest.mark.parametrize(
    ("change", "good"),
    [
        pytest.param({}, True, id="the least"),
        pytest.param({"holdout": "10%", "goal": {"returnsWithin": "14d"}}, True, id="camelCase"),
        pytest.param({"holdout": 0.1, "goal": {"returns_within": "14d"}}, True, id="snake_case"),
        pytest.param({"goal": {"returns_within": "14d", "returnsWithin": "14d"}}, False, id="both spellings"),
        pytest.param({"steps": [STEP | {"renamed_from": "a"}]}, True, id="renamed_from"),
        pytest.param({"steps": [STEP | {"renamedFrom": "a"}]}, True, id="renamedFrom"),
        pytest.param(
            {"steps": [STEP | {"condition": {"type": "level", "is": "dormant", "for": "5d"}}]}, True, id="is, for"
        ),
        pytest.param({"steps": [STEP | {"condition": {"type": "level"}}]}, False, id="no level"),
        pytest.param({"steps": [STEP | {"action": STEP["action"] | {"repeat": "once"}}]}, True, id="once"),
        pytest.param({"steps": [STEP | {"action": STEP["action"] | {"repeat": "daily"}}]}, False, id="daily"),
        pytest.param({"steps": [STEP | {"action": STEP["action"] | {"set": {"a": None}}}]}, True, id="set to null"),
        pytest.param({"steps": [STEP | {"action": STEP["action"] | {"set": {"a": []}}}]}, False, id="set to a list"),
        pytest.param({"steps": []}, False, id="no step"),
        pytest.param({"stpes": []}, False, id="unknown field"),
        pytest.param({"type": "x"}, False, id="unknown type"),
        pytest.param({"holdout": 1}, False, id="all held out"),
        pytest.param({"on_doubt": "resend"}, True, id="on_doubt"),
        pytest.param({"onDoubt": "skip"}, True, id="onDoubt"),
        pytest.param({"onDoubt": "skip", "on_doubt": "skip"}, False, id="onDoubt and on_doubt"),
        pytest.param({"on_doubt": "retry"}, False, id="unknown on_doubt"),
        pytest.param({"recovery": {"delay": 30}}, False, id="a number for a duration"),
        pytest.param({"recovery": {"retries": 21}}, False, id="too many retries"),
    ],
)
def test_the_schema_and_the_models_agree(change: dict[str, Any], good: bool) -> None:
    data = {"type": "retention", "steps": [STEP]} | change

    assert valid(data, loop_schema()) is good
    assert loads(data, Loop) is good


def test_the_example_s_settings_are_valid() -> None:
    assert valid(read_settings(ROOT).data, settings_schema())


@pytest.mark.parametrize(
    ("data", "good"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"sender": {"from": "a@example.com", "replyTo": "b@example.com"}}, True, id="camelCase"),
        pytest.param({"sender": {"reply_to": "a@example.com", "replyTo": "a@example.com"}}, False, id="both spellings"),
        pytest.param({"events": {}}, False, id="events without their table"),
        pytest.param({"features": {"export": FEATURE}}, True, id="a feature"),
        pytest.param({"features": {"export": {"events": ["exported"]}}}, False, id="a feature without a title"),
        pytest.param({"features": {"export": FEATURE | {"event": "x"}}}, False, id="a feature's unknown field"),
        pytest.param({"features": {"Export": FEATURE}}, False, id="a feature's wrong name"),
        pytest.param({"features": {"a" * 49: FEATURE}}, False, id="a feature's long name"),
        pytest.param({"features": {"export": FEATURE | {"lapsed_after": "2w"}}}, True, id="a duration"),
        pytest.param({"features": {"export": FEATURE | {"lapsed_after": 14}}}, False, id="a number for a duration"),
        pytest.param({"milestones": {"first": {"title": "First", "event": "exported"}}}, True, id="a milestone"),
        pytest.param({"limits": {"collapse": 2}}, False, id="a limit out of range"),
    ],
)
def test_the_settings_schema_and_the_models_agree(data: dict[str, Any], good: bool) -> None:
    assert valid(data, settings_schema()) is good
    assert loads(data, ProjectFile) is good


@pytest.mark.parametrize("found", MODELS, ids=[found.__name__ for found in MODELS])
def test_every_field_explains_itself(found: type[BaseModel]) -> None:
    assert [name for name in found.model_fields if name != "type" and not explanations(found).get(name)] == []
