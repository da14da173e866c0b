"""Personalization values are expressions; addresses are one bare address."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from template_world import SENDER, TemplateWorld, mjml

from skene_dagster.delivery.email.templates import Unrenderable, check_address
from skene_dagster.settings import Sender

SPRING = datetime(2026, 3, 12, 9, 4, 30)


@pytest.fixture
def world(tmp_path: Path) -> TemplateWorld:
    return TemplateWorld(tmp_path)


class TestPersonalization:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("{{user.name}}", "Ada"),
            (" {{ user.name }} ", "Ada"),
            ("{{ user['name'] }}", "Ada"),
            ("Dear {{user.name}}!", "Dear Ada!"),
            ("{{user.name}} {{user.id}}", "Ada 7"),
            ("{{row.plan}}", "pro"),
            ("{{user.name|upper}}", "ADA"),
            ("{{user.nick|default(user.name)}}", "Ada"),
            ("no expression", "no expression"),
            ("{{ user.name ~ ' }} ' }}", "Ada }} "),
        ],
    )
    def test_a_value_is_an_expression_in_a_text(self, world: TemplateWorld, text: str, shown: str) -> None:
        world.write(mjml("[{{ name }}]"))

        html = world.render(row={"plan": "pro"}, personalization=(("name", text),)).html

        assert f"[{shown}]" in html

    @pytest.mark.parametrize("text", ["{{ user.name + 1 }}", "{{ 1 // user.zero }}", "{{ user.name.index('z') }}!"])
    def test_an_expression_that_fails_for_one_user_stops_one_email(self, world: TemplateWorld, text: str) -> None:
        world.write(mjml())

        with pytest.raises(Unrenderable, match="name: "):
            world.render({"zero": 0}, personalization=(("name", text),))

    @pytest.mark.parametrize("given", [SPRING, date(2026, 3, 12), "2026-03-12 09:04:30", "2026-03-12T09:04:30Z"])
    def test_a_moment_can_be_formatted_by_the_template(self, world: TemplateWorld, given: object) -> None:
        world.write(mjml('{{ lastActivity|date("%-d %B") }}, {{ lastActivity|date }}'))

        assert "12 March, 12 March 2026" in world.render({"last_activity_at": given}).html

    @pytest.mark.parametrize("given", ["yesterday", "0000-00-00", 7])
    def test_what_is_no_moment_cannot_be_formatted_as_one(self, world: TemplateWorld, given: object) -> None:
        world.write(mjml("{{ lastActivity|date }}"))

        with pytest.raises(Unrenderable, match="not a date"):
            world.render({"last_activity_at": given})

    def test_numbers_are_printed_as_they_are(self, world: TemplateWorld) -> None:
        world.write(mjml("{{ name }}"))

        assert ">1200.50<" in world.render({"name": Decimal("1200.50")}).html


class TestAddresses:
    @pytest.mark.parametrize(
        ("given", "address"),
        [
            ("ada@example.com", "ada@example.com"),
            (" ada@example.com\n", "ada@example.com"),
            ("Ada.B+c@EXAMPLE.com", "Ada.B+c@example.com"),
            ("ada@bücher.example.com", "ada@xn--bcher-kva.example.com"),
            ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
        ],
    )
    def test_an_address_is_one_bare_address(self, given: str, address: str) -> None:
        assert check_address(given) == address

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "ada",
            "ada@localhost",
            "Ada <ada@example.com>",
            "ada@example.com, bob@example.com",
            "ada@example.com\r\nBcc: bob@example.com",
            "ädä@example.com",
            '"a b"@example.com',
            pytest.param("a" * 65 + "@example.com", id="65 letters before the @"),
            pytest.param("ada@example.com\0", id="NUL"),
            pytest.param("ada\udcff@example.com", id="a byte that is no UTF-8"),
            pytest.param("ada\u202e@example.com", id="an override"),
            pytest.param("a" * 5_000_000, id="five megabytes"),
            "ada@[127.0.0.1]",
        ],
    )
    def test_anything_else_is_none(self, world: TemplateWorld, given: str) -> None:
        world.write(mjml())

        with pytest.raises(Unrenderable, match=r"^invalid address$"):
            world.render(to=given)

    @pytest.mark.parametrize(
        ("given", "header"),
        [
            ("Orbit <hello@example.com>", "Orbit <hello@example.com>"),
            ("hello@example.com", "hello@example.com"),
            ('"Orbit, Ltd" <hello@example.com>', '"Orbit, Ltd" <hello@example.com>'),
            ("Orbit, Ltd <hello@example.com>", '"Orbit, Ltd" <hello@example.com>'),
            ("Ørbit <hello@example.com>", "Ørbit <hello@example.com>"),
        ],
    )
    def test_the_sender_may_have_a_name(self, world: TemplateWorld, given: str, header: str) -> None:
        world.write(mjml())
        sender = Sender.model_validate({**SENDER.model_dump(by_alias=True), "from": given})

        assert TemplateWorld(world.folder, sender).render().sender == header
