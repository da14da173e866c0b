"""What an email cannot be without: read from its template, and true of it when it is rendered."""

from pathlib import Path

import pytest
from template_world import FOOTER, TemplateWorld, email, mjml

from skene_dagster.delivery.email.templates import MissingValue, Need, Templates

NEEDED = [
    "{{ name }}",
    "{{ name|upper }}",
    "{{ name.split(' ')[0] }}",
    "{{ 'Hi ' ~ name }}",
    "{{ 'Hi ' + name }}",
    "{{ 'x'|replace('x', name) }}",
    "{{ name and 'x' }}",
    "{{ name if 1 < 2 else name }}",
    "{% set who = name %}{{ who }}",
    "{% set who = name|title %}Hello {{ who }}",
    "{% if name > 3 %}x{% endif %}",
    "{% if name == 'Ada' %}x{% endif %}",
    "{% if not name %}{{ name }}{% endif %}",
    "{% if name is undefined %}{{ name }}{% endif %}",
    "{% for letter in name %}{{ letter }}{% endfor %}",
    "{% for n in range(2) %}{{ name }}{% endfor %}",
]
NOT_NEEDED = [
    "Hello",
    "{{ name or 'there' }}",
    "{{ name|default('there') }}",
    "{{ name|title|d('there') }}",
    "{{ name.split(' ')[0]|default('there') }}",
    "{{ name if name else 'there' }}",
    "{{ ('Hi ' ~ name) if name else 'Hi' }}",
    "{{ 'there' if not name else name }}",
    "{{ name and name|upper or 'there' }}",
    "{% if name %}{{ name }}{% endif %}",
    "{% if name|length %}{{ name }}{% endif %}",
    "{% if name is defined %}{{ name }}{% endif %}",
    "{% if name is none %}x{% else %}{{ name }}{% endif %}",
    "{% if name != '' %}{{ name }}{% endif %}",
    "{% if not name %}x{% elif name > 3 %}{{ name }}{% endif %}",
    "{% if name and name > 3 %}{{ name }}{% endif %}",
    "{% if not name or name == 'Ada' %}x{% else %}{{ name }}{% endif %}",
    "{% set who = name|default('') %}{{ who }}",
    "{% set who = name %}{% if who %}{{ who }} {{ name }}{% endif %}",
]


@pytest.fixture
def world(tmp_path: Path) -> TemplateWorld:
    return TemplateWorld(tmp_path)


@pytest.mark.parametrize("template", NEEDED)
def test_what_a_template_needs_is_found(world: TemplateWorld, template: str) -> None:
    world.write(mjml(template), FOOTER)

    assert list(Templates(world.folder, world.folder).needs(email())) == [Need("name", "name")]
    with pytest.raises(MissingValue):
        world.render({"name": None})


@pytest.mark.parametrize("template", NOT_NEEDED)
def test_what_has_a_fallback_is_not_needed(world: TemplateWorld, template: str) -> None:
    world.write(mjml(template), FOOTER)

    assert list(Templates(world.folder, world.folder).needs(email())) == []
    assert world.render({"name": None})


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("{{ user.name }}", ["name"]),
        ("{{ user['name'] }}", ["name"]),
        ("Dear {{ user.first }} {{ user.last }}", ["first", "last"]),
        ("{{ user.name or 'there' }}", []),
        ("{{ user.nick or user.name }}", []),
        ("{{ row.plan }}", []),
        ("Dear friend", []),
    ],
)
def test_of_a_value_those_columns_are_needed_that_have_no_fallback(
    world: TemplateWorld, text: str, columns: list[str]
) -> None:
    world.write(mjml("{{ called }}"), "{{ called }}" + FOOTER)

    found = Templates(world.folder, world.folder).needs(email(personalization=(("called", text),)))

    assert [one.column for one in found] == columns


def test_the_text_part_and_the_subject_count_as_well(world: TemplateWorld) -> None:
    world.write(mjml("{{ name or 'there' }}", subject="{{ name }}"), "{{ lastActivity }}" + FOOTER)

    assert list(Templates(world.folder, world.folder).needs(email())) == [
        Need("name", "name"),
        Need("lastActivity", "last_activity_at"),
    ]


def test_of_languages_it_is_said_which_of_them_need_it(world: TemplateWorld) -> None:
    world.write(mjml("{{ name or 'there' }} {{ lastActivity }}"))
    world.write(mjml("{{ name }} {{ lastActivity }}"), name="hello.de")

    assert set(Templates(world.folder, world.folder).needs(email(locale="lang"))) == {
        Need("name", "name", ("hello.de",)),
        Need("lastActivity", "last_activity_at"),
    }
