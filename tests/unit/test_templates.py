"""What an email becomes for one user: his values are data, and what cannot be sent stops that one email."""

from datetime import datetime
from pathlib import Path

import pytest
from template_world import FOOTER, TemplateWorld, mjml

from skene_dagster.delivery.templates import MissingValue, Unrenderable
from skene_dagster.errors import TemplateError
from skene_dagster.settings import Feature, Milestone

SPRING = datetime(2026, 3, 12, 9, 4, 30)
HOSTILE = "<img src=x onerror=alert(1)>\"'&{{ 7*7 }}{% raw %}"


@pytest.fixture
def world(tmp_path: Path) -> TemplateWorld:
    return TemplateWorld(tmp_path)


def test_an_email_carries_everything_that_the_provider_needs(world: TemplateWorld) -> None:
    world.write(mjml("Hi {{ name }}", subject="{{ name }}, hello"), "Hi {{ name }}\n" + FOOTER)

    message = world.render()

    assert message.subject == "Ada, hello"
    assert "Hi Ada<" in message.html
    assert message.text == "Hi Ada\n12 Harbour Street, Bristol https://example.com/unsubscribe/7"
    assert (message.sender, message.to, message.reply_to) == (
        "Orbit <hello@example.com>",
        "ada@example.com",
        "answers@example.com",
    )
    assert message.tags == (("loop", "retention"), ("step", "main"), ("send", "ab" * 16))


def test_marketing_mail_can_be_unsubscribed_in_one_click(world: TemplateWorld) -> None:
    world.write(mjml())

    assert world.render().headers == (
        ("List-Unsubscribe", "<https://example.com/unsubscribe/7>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )


def test_transactional_mail_has_no_unsubscribe_header(world: TemplateWorld) -> None:
    world.write(mjml(footer="Bye"), "Bye")

    assert world.render(transactional=True).headers == ()


def test_transactional_mail_needs_no_column_of_the_unsubscribe_address(world: TemplateWorld) -> None:
    world.write(mjml(footer="Bye"), "Bye")

    assert world.render({"id": None}, transactional=True).text == "Bye"


def test_a_value_in_the_unsubscribe_address_is_encoded(world: TemplateWorld) -> None:
    world.write(mjml())

    message = world.render({"id": "a/b?c&d=é>\r\nBcc: x"})

    link = "https://example.com/unsubscribe/a%2Fb%3Fc%26d%3D%C3%A9%3E%0D%0ABcc%3A%20x"
    assert message.headers[0] == ("List-Unsubscribe", f"<{link}>")
    assert link in message.text


class TestHostileValues:
    def test_markup_is_shown_and_not_run(self, world: TemplateWorld) -> None:
        world.write(mjml('{{ name }} <img src="https://example.com/x.png" alt="{{ name }}" />'))

        message = world.render({"name": HOSTILE})

        shown = "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;{{ 7*7 }}{% raw %}"
        assert message.html.count(shown) == 2
        assert "onerror=alert(1)>" not in message.html

    def test_the_subject_and_the_text_are_not_escaped(self, world: TemplateWorld) -> None:
        world.write(mjml(subject="{{ name }} &amp; you"), "{{ name }}" + FOOTER)

        message = world.render({"name": "A & B <3"})

        assert message.subject == "A & B <3 & you"
        assert message.text.startswith("A & B <3")

    def test_no_line_of_a_name_becomes_a_header(self, world: TemplateWorld) -> None:
        world.write(mjml(subject="Hello {{ name }}!"))

        message = world.render({"name": "Ada\r\nBcc: x@example.com\x00\x1b\x85\u2028\u2029\x7f"})

        assert message.subject == "Hello Ada Bcc: x@example.com !"

    def test_control_characters_leave_the_body(self, world: TemplateWorld) -> None:
        world.write(mjml(), "{{ name }}" + FOOTER)

        message = world.render({"name": "A\x00\x08\x1b\x9bda\r\nL\tace\ud800"})

        assert message.text.startswith("Ada\nL\tace\ufffd")
        assert "Ada\nL\tace\ufffd" in message.html

    @pytest.mark.parametrize(
        "link",
        [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "data:text/html,<script>",
            "//example.com",
            "/account",
            "https://",
            'https://example.com/"onclick="x',
            "https://example.com/a b",
            "https://exa\nmple.com",
            "",
        ],
    )
    def test_a_link_that_is_no_address_stops_the_email(self, world: TemplateWorld, link: str) -> None:
        world.write(mjml('<a href="{{ name }}">Go</a>'))

        with pytest.raises(Unrenderable, match="link"):
            world.render({"name": link})

    @pytest.mark.parametrize("link", ["https://example.com/a?b=c&d", "http://localhost:3000/", "mailto:a@example.com"])
    def test_a_link_that_is_an_address_is_printed(self, world: TemplateWorld, link: str) -> None:
        world.write(mjml('<a href="{{- name | trim -}}">Go</a>'))

        assert f'href="{link.replace("&", "&amp;")}"' in world.render({"name": f" {link} "}).html

    def test_a_value_may_continue_an_address_of_the_author(self, world: TemplateWorld) -> None:
        world.write(mjml('<a href="https://example.com/u?n={{ name|urlencode }}">Go</a>'))

        assert 'href="https://example.com/u?n=%22a%20b"' in world.render({"name": '"a b'}).html

    @pytest.mark.parametrize(
        "expression",
        [
            "name.__class__.__mro__",
            "''.__class__",
            "name.format.__globals__",
            "'{0.__class__}'.format(name)",
        ],
    )
    def test_nothing_reaches_through_a_value(self, world: TemplateWorld, expression: str) -> None:
        world.write(mjml("{{ " + expression + " }}"))

        with pytest.raises((Unrenderable, MissingValue)):
            world.render()

    def test_a_user_is_no_dictionary(self, world: TemplateWorld) -> None:
        world.write(mjml("{{ name }}"))
        personalization = (("name", "{{user.items}}"),)

        assert ">all my things<" in world.render({"items": "all my things"}, personalization=personalization).html

    def test_an_endless_page_is_not_sent(self, world: TemplateWorld) -> None:
        world.write(mjml("{{ name * 30000 }}"))

        with pytest.raises(Unrenderable, match="Gmail"):
            world.render({"name": "abcd"})

    def test_a_long_subject_is_cut_with_an_ellipsis(self, world: TemplateWorld) -> None:
        world.write(mjml(subject="{{ name }}"))

        subject = world.render({"name": "word " * 100}).subject

        assert len(subject) <= 200
        assert subject.endswith("word…")


class TestMissingValues:
    @pytest.mark.parametrize("user", [{"name": None}, {}], ids=["NULL", "no such column"])
    def test_using_a_missing_value_stops_the_email_with_its_name(
        self, world: TemplateWorld, user: dict[str, object]
    ) -> None:
        world.write(mjml("Hi {{ called }}"))
        personalization = (("called", "{{user.nick}}" if not user else "{{user.name}}"),)

        with pytest.raises(MissingValue, match=r"^called$"):
            world.render(user, personalization=personalization)

    @pytest.mark.parametrize(
        ("template", "shown"),
        [
            ("Hi {{ name|default('you') }}", "Hi you<"),
            ("{% if name is defined %}{{ name }}{% else %}nobody{% endif %}", "nobody<"),
            ("{{ name if name is defined else 'nobody' }}", "nobody<"),
        ],
    )
    def test_a_template_can_do_without_a_value(self, world: TemplateWorld, template: str, shown: str) -> None:
        world.write(mjml(template))

        assert shown in world.render({"name": None}).html

    @pytest.mark.parametrize(
        "template", ["{{ name|upper }}", "{{ name|date }}", "{% if name %}x{% endif %}", "{{ 'a' ~ name }}"]
    )
    def test_a_filter_does_not_hide_that_a_value_is_missing(self, world: TemplateWorld, template: str) -> None:
        world.write(mjml(template))

        with pytest.raises(MissingValue, match=r"^name$"):
            world.render({"name": None})

    def test_what_is_missing_without_a_name_is_described(self, world: TemplateWorld) -> None:
        world.write(mjml("{{ name.split('-')[1:]|first }}"))

        with pytest.raises(MissingValue, match="sequence was empty"):
            world.render()

    def test_a_text_around_a_missing_value_is_missing_too(self, world: TemplateWorld) -> None:
        world.write(mjml("{{ greeting|default('Hello!') }}"))

        html = world.render({"name": None}, personalization=(("greeting", "Hello {{user.name}}!"),)).html

        assert "Hello!<" in html

    def test_a_missing_value_in_the_unsubscribe_address_stops_the_email(self, world: TemplateWorld) -> None:
        world.write(mjml())

        with pytest.raises(MissingValue, match=r"^id$"):
            world.render({"id": None})

    @pytest.mark.parametrize("expression", ["name and none", "[name]", "{'a': name}", "name.upper", "range(3)"])
    def test_what_only_python_can_read_is_not_printed(self, world: TemplateWorld, expression: str) -> None:
        world.write(mjml("{{ " + expression + " }}"))

        with pytest.raises(Unrenderable):
            world.render()

    def test_bytes_are_not_printed(self, world: TemplateWorld) -> None:
        world.write(mjml())

        with pytest.raises(Unrenderable, match="bytes"):
            world.render({"name": b"\x00\x01"})

    def test_a_value_that_breaks_an_expression_is_not_repeated(self, world: TemplateWorld) -> None:
        world.write(mjml("{{ name.index('z') }}"))

        with pytest.raises(Unrenderable) as refused:
            world.render({"name": "secret"})

        assert str(refused.value) == "HTML: ValueError"


def test_a_template_that_is_wrong_for_everybody_says_so(world: TemplateWorld) -> None:
    with pytest.raises(TemplateError, match="no template"):
        world.render()


def test_the_example_email_is_right_for_everybody() -> None:
    world = TemplateWorld(Path(__file__).parents[2] / "templates")

    assert world.faults(template="re_engagement") == []
    for name in ("Ada", None, HOSTILE, "محمد", "x" * 500, " "):
        for moment in (SPRING, None):
            message = world.render({"name": name, "last_activity_at": moment}, template="re_engagement")
            assert message.subject.endswith("our workspace is just as you left it")
            assert ("12 March" in message.html) == ("12 March" in message.text) == (moment is not None)
            assert "None" not in message.html + message.text


FEATURE = Feature.model_validate(
    {
        "title": "Exports <all>",
        "events": ["Exported"],
        "examples": [
            {"title": "To a sheet", "code": "a < b"},
            {"title": "By mail", "link": "https://example.com/mail"},
        ],
    }
)


def test_an_email_about_a_feature_shows_what_skene_yaml_says_of_it(world: TemplateWorld) -> None:
    source = (
        "{{ feature.title }}:{% for e in feature.examples %}[{{ e.title }}"
        "{% if e.code %} {{ e.code }}{% endif %}{% if e.link %} {{ e.link|url }}{% endif %}]{% endfor %}"
        "{{ feature.use_cases|length }}"
    )
    world.write(mjml(source), f"{source} {FOOTER}")

    message = world.render(about=(("feature", FEATURE),))

    assert message.text.startswith("Exports <all>:[To a sheet a < b][By mail https://example.com/mail]0")
    assert "Exports &lt;all&gt;:[To a sheet a &lt; b][By mail https://example.com/mail]0" in message.html


def test_an_email_about_a_milestone_names_it(world: TemplateWorld) -> None:
    milestone = Milestone.model_validate({"title": "Ten orders", "event": "Ordered", "count": 10})
    world.write(mjml(subject="{{ milestone.title }}!"))

    assert world.render(about=(("milestone", milestone),)).subject == "Ten orders!"
