"""How large a template may be: refused is what Jinja, Python or a mail client would fail on."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from jinja2 import TemplateSyntaxError
from template_world import FOOTER, TemplateWorld, mjml

from skene_dagster.delivery.email.mjml.compiled import compile_mjml
from skene_dagster.delivery.email.templates import Unrenderable
from skene_dagster.delivery.email.templates.sandbox import TEXT, compiled


@pytest.mark.parametrize(
    ("most", "more", "why"),
    [
        # A statement, the lists, and what is in the last: 50 in all.
        pytest.param(f"{{{{ {'[' * 48}1{']' * 48} }}}}", f"{{{{ {'[' * 49}1{']' * 49} }}}}", "nested", id="nesting"),
        pytest.param("{{ 1 }}" * 24_999, "{{ 1 }}" * 25_000, "more than 25,000", id="values"),
        pytest.param(*(f"{{% if a %}}{'{% elif a %}' * n}{{% endif %}}" for n in (50, 51)), "too many elif", id="elif"),
        pytest.param(*(f"{{{{ {2**256 - 1 + n} }}}}" for n in (0, 1)), "number is too large", id="a number"),
        pytest.param(f"{{{{ {'1' * 77} }}}}", f"{{{{ {'1' * 4301} }}}}", "number is too large", id="a huge number"),
    ],
)
def test_a_template_is_compiled_up_to_a_limit_and_refused_beyond_it(most: str, more: str, why: str) -> None:
    TEXT.parse(most)

    with pytest.raises(TemplateSyntaxError, match=why):
        TEXT.parse(more)


def test_a_fault_of_size_has_its_line() -> None:
    with pytest.raises(TemplateSyntaxError) as refused:
        compiled(TEXT, f"a\nb\n{{{{ {2**256} }}}}")

    assert refused.value.lineno == 3


# <mjml>, <mj-body>, <mj-section>, <mj-column> and <mj-text> stand around.
@pytest.mark.parametrize(("tags", "is_refused"), [(95, False), (96, True)])
def test_tags_are_nested_at_most_100_deep(tmp_path: Path, tags: int, is_refused: bool) -> None:
    world = TemplateWorld(tmp_path)
    world.write(mjml(f"{'<b>' * tags}x{'</b>' * tags}"))

    assert [fault for fault in world.faults() if "<b> is nested too deeply" in fault] == (
        [f"{tmp_path.name}/hello.mjml:2 <b> is nested too deeply. Nest at most 100 tags."] if is_refused else []
    )


@pytest.mark.parametrize(("size", "is_refused"), [(104_448, False), (104_449, True)])
def test_a_html_is_as_large_as_gmail_shows(tmp_path: Path, size: int, is_refused: bool) -> None:
    world = TemplateWorld(tmp_path)
    around = len(compile_mjml(mjml("x")).html.encode()) - 1
    world.write(mjml("x" * (size - around)))

    assert any("Gmail cuts emails off at 104,448" in fault for fault in world.faults()) is is_refused


@pytest.mark.parametrize(("size", "is_refused"), [(104_448, False), (104_449, True)])
@pytest.mark.parametrize("part", ["HTML", "text"])
def test_an_email_that_is_as_large_as_gmail_shows_is_sent(
    tmp_path: Path, part: str, size: int, is_refused: bool
) -> None:
    world = TemplateWorld(tmp_path)
    world.write(mjml("{{ name if part == 'HTML' }}"), FOOTER + "{{ name if part == 'text' }}")
    told = (("name", "{{user.name}}"), ("part", part))
    small = world.render({"name": "x"}, personalization=told)
    around = len((small.html if part == "HTML" else small.text).encode()) - 1
    user: dict[str, object] = {"name": "x" * (size - around)}

    with pytest.raises(Unrenderable, match=f"the {part} has 104,449 bytes") if is_refused else nullcontext():
        world.render(user, personalization=told)
