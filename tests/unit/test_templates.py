"""What an email becomes for one user: his values are data, and what cannot be sent stops that one email."""

from contextlib import nullcontext
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from jinja2 import Environment
from jinja2.filters import do_truncate
from template_world import FOOTER, SENDER, TemplateWorld, mjml

from skene_dagster.delivery.email.templates import MissingValue, Unrenderable
from skene_dagster.delivery.email.templates.sandbox import truncate
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

    assert world.render(topic=None).headers == ()


def test_transactional_mail_needs_no_column_of_the_unsubscribe_address(world: TemplateWorld) -> None:
    world.write(mjml(footer="Bye"), "Bye")

    assert world.render({"id": None}, topic=None).text == "Bye"


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

        message = world.render({"name": "A\x00\x08\x1b\x9bda\r\nL\tace"})

        assert message.text.startswith("Ada\nL\tace")
        assert "Ada\nL\tace" in message.html

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
            "java\tscript:alert(1)",
            "vbscript:x",
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

    @pytest.mark.parametrize(
        "template",
        [
            "{% set x = (name * 30000)|map('center', 1000)|list %}",
            "{% for i in range(60000) %}{% set x = [1] * 30000 %}{% endfor %}",
            "{% for i in range(60000) %}{% set x = name * 30000 %}{% endfor %}",
            "{% set x = [1] * 90000 %}{% for i in range(60000) %}{% set y = x[1:] %}{% endfor %}",
            "{% for i in range(60000) %}{% set x = '{:999}'.format(1) %}{% endfor %}",
            "{% set x = 'abc-' * 50000 %}{% for i in range(60000) %}{% set y = x|wordwrap(9) %}{% endfor %}",
        ],
    )
    def test_what_an_operation_gives_is_charged_each_time(self, world: TemplateWorld, template: str) -> None:
        world.write(mjml(template))

        with pytest.raises(Unrenderable, match=r"too many steps|word of more than"):
            world.render({"name": "abcd"})

    def test_a_long_subject_is_cut_with_an_ellipsis(self, world: TemplateWorld) -> None:
        world.write(mjml(subject="{{ name }}"))

        subject = world.render({"name": "word " * 100}).subject

        assert len(subject) <= 200
        assert subject.endswith("word…")


class TestMissingValues:
    @pytest.mark.parametrize(
        "user",
        [
            pytest.param({"name": None}, id="NULL"),
            pytest.param({"name": ""}, id="an empty text"),
            pytest.param({"name": " \t\u00a0"}, id="white space alone"),
            pytest.param({"name": b""}, id="no bytes"),
            pytest.param({"name": "\u202e"}, id="nothing but an override"),
            pytest.param({}, id="no such column"),
        ],
    )
    def test_using_a_missing_value_stops_the_email_with_its_name(
        self, world: TemplateWorld, user: dict[str, object]
    ) -> None:
        world.write(mjml("Hi {{ called }}"))
        personalization = (("called", "{{user.nick}}" if not user else "{{user.name}}"),)

        with pytest.raises(MissingValue, match=r"^called$"):
            world.render(user, personalization=personalization)

    @pytest.mark.parametrize("name", [None, "", "  "])
    @pytest.mark.parametrize(
        ("template", "shown"),
        [
            ("Hi {{ name|default('you') }}", "Hi you<"),
            ("Hi {{ name|default('you', true) }}", "Hi you<"),
            ("Hi {{ name or 'you' }}", "Hi you<"),
            ("Hi {{ name|title or 'you' }}", "Hi you<"),
            ("Hi {{ name|trim|upper|default('you') }}", "Hi you<"),
            ("Hi {{ name.split(' ')[0]|default('you') }}", "Hi you<"),
            ("Hi {{ name.upper() or 'you' }}", "Hi you<"),
            ("Hi {{ (name + '!')|default('you') }}", "Hi you<"),
            ("Hi{% if name %} {{ name }}{% endif %}!", "Hi!<"),
            ("Hi{{ (' ' ~ name) if name else '' }}!", "Hi!<"),
            ("{% if not name %}nobody{% endif %}", "nobody<"),
            ("{% if name and name|length > 3 %}long{% else %}short{% endif %}", "short<"),
            ("{% if name == '' %}nobody{% endif %}", "nobody<"),
            ("{% if name != '' %}Hi {{ name }}{% else %}nobody{% endif %}", "nobody<"),
            ("{% if name is none %}nobody{% endif %}", "nobody<"),
            ("{% if name is not none %}Hi {{ name }}{% else %}nobody{% endif %}", "nobody<"),
            ("{% if name is defined %}{{ name }}{% else %}nobody{% endif %}", "nobody<"),
            ("{{ name if name is defined else 'nobody' }}", "nobody<"),
            ("{{ name if name else 'nobody' }}", "nobody<"),
        ],
    )
    def test_a_template_can_do_without_a_value(
        self, world: TemplateWorld, template: str, shown: str, name: str | None
    ) -> None:
        world.write(mjml(template))

        assert shown in world.render({"name": name}).html

    @pytest.mark.parametrize("name", [None, "", "  "])
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("{{ user.name or 'friend' }}", "friend"),
            ("{{ user['name'] or 'friend' }}", "friend"),
            ("{{ user.name|title or 'friend' }}", "friend"),
            ("{{ user.name|default('friend') }}", "friend"),
            ("{{ user.name if user.name else 'friend' }}", "friend"),
            ("{{ user.nick or user.name or 'friend' }}", "friend"),
            ("Dear {{ user.name or 'friend' }}!", "Dear friend!"),
            ("{{ 'Dear ' ~ (user.name or 'friend') }}", "Dear friend"),
            ("{{ (user.days / 7)|round|default('some') }}", "some"),
            ("{{ (user.days or 0) + 1 }}", "1"),
        ],
    )
    def test_a_fallback_stands_where_its_author_put_it(
        self, world: TemplateWorld, text: str, shown: str, name: str | None
    ) -> None:
        world.write(mjml("[{{ called }}]"))

        assert f"[{shown}]" in world.render({"name": name}, personalization=(("called", text),)).html

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            pytest.param(0, "[0]", id="zero"),
            pytest.param(0.0, "[0.0]", id="zero as a float"),
            pytest.param(Decimal("0.00"), "[0.00]", id="zero as a decimal"),
            pytest.param(False, "[False]", id="false"),
            pytest.param("0", "[0]", id="a zero as a text"),
        ],
    )
    def test_what_is_false_is_not_missing(self, world: TemplateWorld, value: object, shown: str) -> None:
        world.write(mjml("[{{ name|default('none') }}]{{ 'there' if name is defined }}"))

        assert f"{shown}there" in world.render({"name": value}).html

    @pytest.mark.parametrize(
        "template",
        [
            "{{ name|upper }}",
            "{{ name|date }}",
            "{{ name.upper() }}",
            "{{ name[0] }}",
            "{{ name * 2 }}",
            "{{ 'a' ~ name }}",
            "{{ 'a' + name }}",
            "{{ name and 'x' }}",
            "{{ name or name }}",
            "{% if name > 3 %}x{% endif %}",
            "{% if name == 'Ada' %}x{% endif %}",
            "{% if name in ['Ada'] %}x{% endif %}",
            "{% for one in name %}x{% endfor %}",
            "{% set called = name %}{{ called }}",
        ],
    )
    def test_whatever_needs_a_missing_value_stops_the_email_with_its_name(
        self, world: TemplateWorld, template: str
    ) -> None:
        world.write(mjml(template))

        with pytest.raises(MissingValue, match=r"^name$"):
            world.render({"name": None})

    def test_what_an_item_is_looked_up_by_is_not_repeated(self, world: TemplateWorld) -> None:
        world.write(mjml("{{ {'pro': 'Professional'}[name] }}"))

        with pytest.raises(MissingValue) as missing:
            world.render({"name": "ada@example.com"})

        assert str(missing.value) == "a part that a value does not have"

    def test_what_a_column_is_looked_up_by_is_not_repeated(self, world: TemplateWorld) -> None:
        link = SENDER.model_copy(update={"unsubscribe_url": "https://example.com/{{user[user.name]}}"})
        world = TemplateWorld(world.folder, link)
        world.write(mjml())

        with pytest.raises(MissingValue) as missing:
            world.render({"name": "ada@example.com"})

        assert str(missing.value) == "a part that a value does not have"

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

    @pytest.mark.parametrize(
        ("expression", "error"),
        [("name.index('z')", "ValueError"), ("([1]|map(name)|list)[0]", "TemplateRuntimeError")],
    )
    def test_a_value_that_breaks_an_expression_is_not_repeated(
        self, world: TemplateWorld, expression: str, error: str
    ) -> None:
        world.write(mjml("{{ " + expression + " }}"))

        with pytest.raises(Unrenderable) as refused:
            world.render({"name": "secret"})

        assert str(refused.value) == f"HTML: {error}"


class TestColumnsThatAreNotClean:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            pytest.param("Zoë Müller".encode(), "Zoë Müller", id="bytes in UTF-8"),
            pytest.param(b"Ann\0\0\0", "Ann", id="bytes filled up with NUL"),
            pytest.param("\u202eada\u2066\u2069", "ada", id="an override and an empty isolate"),
            pytest.param("مريم", "مريم", id="Arabic"),
            pytest.param("דָּוִד\u200f", "דָּוִד\u200f", id="Hebrew with its points and a mark"),
            pytest.param("👩‍👩‍👧 Ada", "👩‍👩‍👧 Ada", id="an emoji joined by ZWJ"),
            pytest.param("می‌خواهم", "می‌خواهم", id="Persian with a non-joiner"),
        ],
    )
    def test_a_text_is_shown_as_its_user_writes_it(self, world: TemplateWorld, value: object, shown: str) -> None:
        world.write(mjml("[{{ name }}]", subject="[{{ name }}]"), "[{{ name }}]" + FOOTER)

        message = world.render({"name": value})

        assert message.subject == f"[{shown}]"
        assert f"[{shown}]" in message.html
        assert message.text.startswith(f"[{shown}]")

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(b"Ann\xff", id="bytes of another encoding"),
            pytest.param("Ann\udcff", id="a byte that SQLite holds in a text"),
            pytest.param("Ann\ud83d", id="half a character"),
            pytest.param(b"\x9c\x01\x1d\x00\xfe", id="a binary value"),
            pytest.param(b"\x01", id="a bit"),
        ],
    )
    def test_what_is_no_text_stops_the_email_and_is_not_repeated(self, world: TemplateWorld, value: object) -> None:
        world.write(mjml())

        with pytest.raises(Unrenderable, match=r"^the column name is not valid UTF-8$"):
            world.render({"name": value})

    def test_a_binary_key_is_written_in_hex_in_the_unsubscribe_address(self, world: TemplateWorld) -> None:
        world.write(mjml())

        assert world.render({"id": b"abc\0"}).headers[0][1] == "<https://example.com/unsubscribe/61626300>"

    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            pytest.param("👨‍👩‍👧‍👦", 198 // 7 * 7, id="families joined by ZWJ"),
            pytest.param("🇩🇪", 198, id="flags"),
            pytest.param("e\u0301", 198, id="letters and their accents"),
            pytest.param("👍🏽", 198, id="emoji with a skin tone"),
        ],
    )
    def test_a_subject_is_cut_between_letters_as_people_see_them(
        self, world: TemplateWorld, name: str, kept: int
    ) -> None:
        world.write(mjml(subject="-{{ name }}"))

        subject = world.render({"name": name * 200}).subject

        assert subject == f"-{name * (kept // len(name))}…"

    def test_a_name_is_cut_between_letters_as_people_see_them(self, world: TemplateWorld) -> None:
        world.write(mjml("[{{ name|truncate(10, true, '…', 0) }}]"))

        assert "[👨‍👩‍👧‍👦…]" in world.render({"name": "👨‍👩‍👧‍👦" * 3}).html

    @pytest.mark.parametrize("killwords", [True, False])
    @pytest.mark.parametrize("end", ["", "…", "..."])
    @pytest.mark.parametrize("leeway", [0, 3])
    def test_a_text_of_single_letters_is_cut_as_jinjas_own_filter_cuts_it(
        self, killwords: bool, end: str, leeway: int
    ) -> None:
        environment, text = Environment(autoescape=True), "All that is gold does not glitter"

        for length in range(len(end), len(text) + 2):
            as_jinja_does = do_truncate(environment, text, length, killwords, end, leeway)
            assert truncate(text, length, killwords, end, leeway) == as_jinja_does

    def test_one_letter_under_a_thousand_accents_is_still_cut(self, world: TemplateWorld) -> None:
        world.write(mjml(subject="{{ name }}"))

        assert len(world.render({"name": "e" + "\u0301" * 1000}).subject) == 200

    @pytest.mark.parametrize(
        ("letters", "why"),
        [
            pytest.param(200_000, r"^the text has 200,\d\d\d bytes; at most 104,448 are sent$", id="too long to send"),
            pytest.param(5_000_000, "^an expression gives more than 300,000 characters$", id="too long to render"),
        ],
    )
    def test_a_text_that_is_far_too_long_is_not_sent(self, world: TemplateWorld, letters: int, why: str) -> None:
        world.write(mjml("Hello"), "{{ name }} " + FOOTER)

        with pytest.raises(Unrenderable, match=why):
            world.render({"name": "x" * letters})


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


@pytest.mark.parametrize(("levels", "is_too_deep"), [(3, False), (4, True)])
def test_lists_are_compared_to_the_third_level(world: TemplateWorld, levels: int, is_too_deep: bool) -> None:
    lists = f"{'[' * levels}1{']' * levels}"
    world.write(mjml(f"{{% set lists = {lists} %}}{{{{ name if lists == lists }}}}"))

    with pytest.raises(Unrenderable, match="nested too deeply") if is_too_deep else nullcontext():
        world.render()
