"""Before anybody is left out, `validate --database` counts who lacks what an email cannot be without."""

from dataclasses import replace
from pathlib import Path

import pytest
from delivery_world import World, make_world
from sqlalchemy import Engine

from skene_dagster.delivery import missing_values


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def said(world: World) -> list[str]:
    with world.engine.connect() as connection:
        found = missing_values.lacking(connection, [world.plan], world.settings, world.now)
    return [f"{one.place} {one.says}" for ones in found.values() for one in ones]


def test_who_has_no_name_is_counted_at_the_line_that_names_it(world: World) -> None:
    world.add(1, 2, 3, 4)
    world.add(5, name=None)
    world.add(6, name="")
    world.add(7, name="   ")
    world.add(8, 9, name=None, verified=False)

    [notice] = said(world)

    assert notice == (
        "loops/retention.yaml:8  step 1, action.personalization.name "
        "This email cannot go to 3 of 7 mailable users: they have no name. "
        "Write a fallback: {{ user.name or 'there' }}."
    )


def test_where_everybody_has_one_nothing_is_said(world: World) -> None:
    world.add(1, 2)

    assert said(world) == []


def test_with_a_fallback_nobody_is_counted(world: World) -> None:
    world.add(1, name=None)
    world.rewrite_loop("{{user.name}}", "{{user.name or 'there'}}")

    assert said(world) == []


def test_a_moment_has_no_word_to_stand_in_for_it(world: World) -> None:
    world.add(1, 2)
    world.rewrite_loop("{{user.name}}", "{{user.last_activity_at}}")

    [notice] = said(world)

    assert "2 of 2 mailable users: they have no last_activity_at. Test for it in the template: {% if name %}" in notice


def test_what_one_language_needs_is_said_of_that_one(world: World) -> None:
    world.add(1, 2)
    world.add(3, name=None)
    folder, users = world.settings.templates, world.settings.users.model_copy(update={"locale": "email"})
    world.settings = replace(world.settings, users=users)
    for file in ("hello.mjml", "hello.txt"):
        text = (folder / file).read_text("utf-8")
        (folder / file.replace(".", ".de.")).write_text(text.replace("{{ name }}", "{{ name or 'du' }}"), "utf-8")
    world.rewrite_loop("{{user.name}}", "{{user.name}}")

    [notice] = said(world)

    assert "1 of 3 mailable users have no name: those who would get hello.mjml get no email." in notice


def test_no_more_users_are_looked_at_than_a_server_reads_quickly(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing_values, "MOST", 3)
    world.add(1, 2, 3, 4, name=None)

    [notice] = said(world)

    assert "3 of the first 3 mailable users" in notice
