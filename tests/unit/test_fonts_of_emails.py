"""An email fetches nothing from anybody whom its template does not name."""

import re
from pathlib import Path

import pytest
from template_world import mjml

from skene_dagster.delivery.email.mjml.compiled import compile_mjml

SHIPPED = Path(__file__).parents[2] / "templates"
HOST = re.compile(r"(?:https?:)?//[A-Za-z0-9.-]+")


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.mjml")), ids=lambda file: file.stem)
def test_a_shipped_email_refers_to_no_host_but_those_of_its_own_links(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    made = compile_mjml(source).html.replace('xmlns="http://www.w3.org/1999/xhtml"', "")

    assert set(HOST.findall(made)) == set(HOST.findall(source))
    assert "@import" not in made


def test_a_font_is_fetched_only_where_the_template_asks_for_it() -> None:
    font = '<mj-font name="Inter" href="https://example.com/inter.css" />'
    body = '</mj-text><mj-text font-family="Inter, Roboto, Ubuntu">Hi'

    assert "//" not in compile_mjml(mjml()).html.replace("http://www.w3.org/1999/xhtml", "")
    assert set(HOST.findall(compile_mjml(mjml(body, head=font)).html)) == {"https://example.com", "http://www.w3.org"}
