"""What `validate` says about a template: every fault, with the file and line of its author."""

from pathlib import Path

import pytest
from template_world import FOOTER, SENDER, TemplateWorld, email, mjml, plan_of

from skene_dagster.delivery.email.templates import Templates
from skene_dagster.loops.plan import Block
from skene_dagster.settings import Feature, Sender

PROVIDED = "name, lastActivity, unsubscribe_url, postal_address"
ONE_FILE = "A template is one file of MJML and one of text."


@pytest.fixture
def world(tmp_path: Path) -> TemplateWorld:
    folder = tmp_path / "templates"
    folder.mkdir()
    return TemplateWorld(folder)


def test_a_template_without_faults_is_silent(world: TemplateWorld) -> None:
    world.write(mjml())

    assert world.faults() == []


def test_what_a_feature_does_not_have_is_named_with_its_line(world: TemplateWorld) -> None:
    about = (("feature", Feature(title="Exports", events=["Exported"])),)
    world.write(mjml("{{ feature.exampels }}"), "{{ feature.titel }} " + FOOTER)

    in_mjml, in_text = world.faults(about=about)

    assert in_mjml.startswith("templates/hello.mjml:2 feature has no 'exampels'; it has: adopted_days, ")
    assert in_mjml.endswith("Did you mean examples?")
    assert in_text.startswith("templates/hello.txt:1 feature has no 'titel'; ")


def test_a_step_that_is_about_no_feature_provides_none(world: TemplateWorld) -> None:
    world.write(mjml("{{ feature.title }}"))

    (fault,) = world.faults()

    assert "{{ feature }} is not provided" in fault


def test_the_prompt_of_a_block_is_checked_as_well(world: TemplateWorld) -> None:
    plan, step = plan_of(Block("You are blocked.", email(template="upgrade")))

    (fault,) = Templates(world.folder, world.folder).check(plan, step, SENDER)

    assert "There is no template 'upgrade'" in str(fault)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        pytest.param(
            mjml("{{ nmae }}"),
            "hello.mjml:2 {{ nmae }} is not provided; the step provides: " + PROVIDED + ". Did you mean name?",
            id="a variable that nothing provides",
        ),
        pytest.param(
            mjml(subject="{{ user.name }}"),
            "hello.mjml:1 {{ user }} is not provided; the step provides: " + PROVIDED + ".",
            id="the user himself",
        ),
        pytest.param(
            mjml("{{ name|safe }}"), "|safe is not allowed. A user's value is never markup; remove", id="safe"
        ),
        pytest.param(mjml("{% filter safe %}x{% endfilter %}"), "|safe is not allowed.", id="safe as a block"),
        pytest.param(mjml("{% autoescape false %}{{ name }}{% endautoescape %}"), "{% autoescape %}", id="autoescape"),
        pytest.param(mjml("{{ Markup(name) }}"), "{{ Markup }} is not provided", id="Markup"),
        pytest.param(mjml("{{ lipsum() }}"), "{{ lipsum }} is not provided", id="a function of Jinja"),
        pytest.param(mjml("{{ name|uper }}"), "|uper is not a filter. Did you mean upper?", id="an unknown filter"),
        pytest.param(mjml("{{ name|tojson }}"), "|tojson is not a filter.", id="a filter that prints markup"),
        pytest.param(mjml("{{ name is defind }}"), "'is defind' is not a test. Did you mean defined?", id="a test"),
        pytest.param(mjml("{% include 'x' %}"), "{% include %} is not allowed. " + ONE_FILE, id="include"),
        pytest.param(mjml("{% extends 'x' %}"), "{% extends %} is not allowed. " + ONE_FILE, id="extends"),
        pytest.param(mjml("{% import 'x' as x %}"), "{% import %} is not allowed. " + ONE_FILE, id="import"),
        pytest.param(mjml("a\nb {{ name"), "hello.mjml:3 This is not Jinja: ", id="an expression that is not closed"),
        pytest.param(mjml("{% if name %}"), "This is not Jinja: Unexpected end of template.", id="an if without end"),
        pytest.param(mjml("{{ name | }}"), "hello.mjml:2 This is not Jinja: ", id="half an expression"),
        pytest.param(mjml("{{ name || 'x' }}"), "Write `or` instead: x or 'there'.", id="or as JavaScript has it"),
        pytest.param(mjml("{{ name ?? 'x' }}"), "Write `or` instead: x or 'there'.", id="?? of JavaScript"),
        pytest.param(mjml("{{ name && 'x' }}"), "Write `and` instead.", id="and as JavaScript has it"),
        pytest.param(mjml("{{ name | default: 'x' }}"), "Write it with brackets", id="default as Liquid has it"),
        pytest.param(mjml("{{{ name }}}"), "Write two braces.", id="three braces of Handlebars"),
        pytest.param(mjml("{{#if name}}x{{/if}}"), "Write {% if … %} … {% endif %}", id="a block of Handlebars"),
        pytest.param(
            mjml(head="\n<mj-style>@media all {#outlook a{padding:0}}</mj-style>"),
            "hello.mjml:2 {# begins a Jinja comment, which is never closed. In a style sheet put a space between: "
            "{ #logo { … } }.",
            id="CSS that begins a comment",
        ),
        pytest.param(
            mjml("{# a comment #}", head="\n<mj-style>@media all {#outlook a{padding:0}}</mj-style>"),
            "hello.mjml:2 {# begins a Jinja comment, in which another one begins. In a style sheet put a space",
            id="CSS that begins a comment which a later one ends",
        ),
        pytest.param(
            mjml("x</mj-text><mj-buton>x</mj-buton><mj-text>"),
            "hello.mjml:2 <mj-buton> is not a tag of MJML. Did you mean <mj-button>?",
            id="an unknown tag",
        ),
        pytest.param(
            mjml(head="<mj-attributes><mj-text colr='red' /></mj-attributes>"),
            "hello.mjml:1 'colr' is not an attribute of MJML. Did you mean 'color'?".replace("'color'", "color"),
            id="an unknown attribute",
        ),
        pytest.param(mjml("<mj-include path='x' />"), "<mj-include> is not allowed. " + ONE_FILE, id="mj-include"),
        pytest.param(
            mjml("<b>x"), "hello.mjml:2 <b> is never closed. Add </b> before </mj-text> of line 2.", id="unclosed"
        ),
        pytest.param(mjml("x</b>"), "hello.mjml:2 </b> closes nothing. Remove it.", id="closed only"),
        pytest.param("<mjml><mj-body>", "hello.mjml:1 <mjml> is never closed. Add </mjml>.", id="never closed"),
        pytest.param("Hello", "hello.mjml:1 The file has no <mjml>.", id="no MJML at all"),
        pytest.param("", "hello.mjml:1 The file has no <mjml>.", id="an empty file"),
        pytest.param(mjml("a < b"), "hello.mjml:2 '<' begins no tag here. Write &lt;", id="a bare <"),
        pytest.param(mjml(subject=" "), "hello.mjml The email has no subject. Write it into <mj-title>", id="subject"),
        pytest.param(mjml(footer="{{ postal_address }}"), "must print {{ unsubscribe_url }}.", id="no unsubscribe"),
        pytest.param(mjml(footer="{{ unsubscribe_url }}"), "must print {{ postal_address }}.", id="no postal address"),
        pytest.param(mjml().encode("utf-16"), "hello.mjml:1 The file is not UTF-8 (byte 0).", id="not UTF-8"),
        pytest.param(mjml("x" * 110_000), "Gmail cuts emails off at 104,448.", id="too long"),
        pytest.param(mjml("<a href='/go/{{ name }}'>x</a>"), "{{ name }} cannot be used here in 'href'.", id="a path"),
        pytest.param(mjml("<a href='javascript:{{ name }}'>x</a>"), "is not a link that an email", id="javascript:"),
        pytest.param(
            mjml("<a href=' java&#9;script:alert(1)'>x</a>"),
            "is not a link that an email may have. Write an address with https://.",
            id="a link that runs a script",
        ),
        pytest.param(
            mjml("<a href='{% if name %}https://example.com{% endif %}'>x</a>"),
            "{% if name %} cannot be used in 'href'. Decide outside of the tag.",
            id="a statement in a link",
        ),
        pytest.param(
            mjml("<b style='color:{{ name }}'>x</b>"), "in the attribute 'style'. Values are allowed", id="style"
        ),
        pytest.param(mjml("<b onclick='{{ name }}'>x</b>"), "in the attribute 'onclick'.", id="onclick"),
        pytest.param(
            mjml("<b title='say \"{{ name }}'>x</b>"), "cannot be used beside a quote in 'title'.", id="beside a quote"
        ),
        pytest.param(mjml("<b {{ name }}>x</b>"), "{{ name }} cannot be used inside a tag.", id="inside a tag"),
        pytest.param(
            mjml("<{{ name }}>x</{{ name }}>"), "Jinja cannot be used in the name of a tag.", id="a tag's name"
        ),
        pytest.param(mjml("<!-- {{ name }} -->"), "{{ name }} cannot be used in an HTML comment.", id="a comment"),
        pytest.param(
            mjml(head="<mj-style>.x { color: {{ name }} }</mj-style>"),
            "cannot be used in <mj-style>.",
            id="a style sheet",
        ),
        pytest.param(
            mjml("</mj-text><mj-text font-family='x'>", head="<mj-font name='x' href='{{ name }}' />"),
            "{{ name }} cannot be used in <style>.",
            id="a font",
        ),
        pytest.param(
            mjml("é</mj-text>\n<mj-divider>{{ name }}</mj-divider><mj-text>"),
            "hello.mjml:3 {{ name }} cannot be used in <mj-divider>. Text and values belong in <mj-text> or <mj-raw>.",
            id="where MJML takes no text",
        ),
        pytest.param(
            mjml("</mj-text></mj-column></mj-section>\n<mj-text>x</mj-text>\n<mj-section><mj-column><mj-text>"),
            "hello.mjml:3 <mj-text> cannot be used in <mj-body>. It belongs in <mj-column> or <mj-hero>.",
            id="a text right in the body",
        ),
        pytest.param(
            mjml("</mj-text></mj-column>\n<mj-button>x</mj-button>\n<mj-column><mj-text>"),
            "hello.mjml:3 <mj-button> cannot be used in <mj-section>. It belongs in <mj-column> or <mj-hero>.",
            id="a button right in a section",
        ),
        pytest.param(
            mjml("</mj-text><mj-section></mj-section><mj-text>"),
            "<mj-section> cannot be used in <mj-column>. It belongs in <mj-body> or <mj-wrapper>.",
            id="a section in a column",
        ),
        pytest.param(
            mjml("<mj-text>x</mj-text>"), "<mj-text> cannot be used in <mj-text>. It belongs in", id="a text in a text"
        ),
        pytest.param(
            mjml("<div><mj-image src='https://example.com/x.png' /></div>"),
            "<mj-image> cannot be used in <mj-text>.",
            id="an image deep in a text",
        ),
        pytest.param(
            mjml("</mj-text>\n<b>x</b><mj-text>"),
            "hello.mjml:3 <b> cannot be used in <mj-column>. It belongs in <mj-text> or <mj-raw>.",
            id="HTML right in a column",
        ),
        pytest.param(
            mjml("</mj-text>\n\nHello\n<mj-text>"),
            "hello.mjml:4 Text cannot be used in <mj-column>. Text and values belong in <mj-text> or <mj-raw>.",
            id="text right in a column",
        ),
        pytest.param(
            mjml("</mj-text></mj-column>&nbsp;<mj-column><mj-text>"),
            "Text cannot be used in <mj-section>.",
            id="an entity right in a section",
        ),
        pytest.param(
            mjml("</mj-text></mj-column>\n{% if name %}\n{{ name }}{% endif %}<mj-column><mj-text>"),
            "hello.mjml:4 {{ name }} cannot be used in <mj-section>.",
            id="a value right in a section",
        ),
        pytest.param(
            mjml(head="<mj-all color='red' />"),
            "<mj-all> cannot be used in <mj-head>. It belongs in <mj-attributes>.",
            id="attributes right in the head",
        ),
        pytest.param(
            mjml(head="<mj-section />"), "<mj-section> cannot be used in <mj-head>.", id="a section in the head"
        ),
        pytest.param(
            mjml(
                head="<mj-html-attributes><mj-selector path='.c'><mj-html-attribute name='x'>1</mj-html-attribute>"
                "</mj-selector></mj-html-attributes>"
            ),
            "<mj-html-attributes> is MJML, but not rendered here. Write that part of the email in <mj-raw>, as HTML",
            id="a tag that the renderer lacks",
        ),
        pytest.param(
            mjml(
                "</mj-text></mj-column></mj-section><mj-wrapper gap='1px'></mj-wrapper><mj-section><mj-column><mj-text>"
            ),
            "'gap' is MJML, but not rendered here. Give the sections `padding`.",
            id="an attribute that the renderer ignores",
        ),
        pytest.param(
            mjml(
                "<!--[if mso]><v:roundrect href='{{ name }}'><![endif]--><a href='{{ name }}'>x</a>"
                "<!--[if mso]></v:roundrect><![endif]-->"
            ),
            "{{ name }} cannot be used in a conditional comment, where no link can be checked. For a button write "
            "<mj-button>, which Outlook shows, too.",
            id="a button in VML",
        ),
        pytest.param(
            mjml(head="<mj-attributes><mj-class name='x' title='{{ name }}' /></mj-attributes>"),
            "hello.mjml:1 {{ name }} is where MJML prints nothing.",
            id="where MJML prints nothing",
        ),
        pytest.param(mjml("<script>var x = '{{ name }}'</script>"), "cannot be used in <script>.", id="a script"),
    ],
)
def test_a_fault_of_the_email_is_named_with_its_line(world: TemplateWorld, source: str | bytes, fault: str) -> None:
    world.write(source)

    found = world.faults()

    assert any(fault in one for one in found), found
    assert all(one.startswith("templates/hello.mjml") for one in found)
    assert len(found) <= 2


@pytest.mark.parametrize(("images", "is_too_many"), [(100, False), (101, True), (102, True)])
def test_a_carousel_of_too_many_images_is_refused_once(world: TemplateWorld, images: int, is_too_many: bool) -> None:
    carousel = "<mj-carousel>" + '<mj-carousel-image src="https://example.com/a.png"/>' * images + "</mj-carousel>"
    world.write(mjml().replace("<mj-text>{{ name }}</mj-text>", f"{carousel}<mj-text>{{{{ name }}}}</mj-text>"))

    assert [fault for fault in world.faults() if "more than 100 images in carousels" in fault] == (
        ["templates/hello.mjml:2 There are more than 100 images in carousels. Show fewer."] if is_too_many else []
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<b>x", id="a tag of HTML that is not closed"),
        pytest.param("</mj-text><mj-social><mj-text>", id="a tag of MJML that is not closed"),
        pytest.param("x</mj-text><mj-buton>x</mj-buton><mj-text>", id="a tag that is misspelled"),
        pytest.param("</mj-text><mj-group></mj-group><mj-text>", id="a tag in the wrong place"),
    ],
)
def test_one_fault_is_told_once(world: TemplateWorld, body: str) -> None:
    world.write(mjml(body))

    assert len(world.faults()) == 1


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param(
            "</mj-text></mj-column>{% for n in range(3) %}<mj-column><mj-text>[{{ n }}]</mj-text></mj-column>"
            "{% endfor %}<mj-column><mj-text>",
            ["[0]", "[1]", "[2]"],
            id="columns in a loop",
        ),
        pytest.param(
            "</mj-text>{% if name %}<mj-text>[{{ name }}]</mj-text>{% else %}<mj-text>[none]</mj-text>{% endif %}"
            "<mj-text>",
            ["[Ada]"],
            id="texts in a condition",
        ),
        pytest.param(
            "</mj-text></mj-column></mj-section>{% for n in range(2) %}<mj-section><mj-column>"
            "<mj-text>[{{ n }}]</mj-text></mj-column></mj-section>{% endfor %}<mj-section><mj-column><mj-text>",
            ["[0]", "[1]"],
            id="sections in a loop",
        ),
        pytest.param("</mj-text><!-- a note --><mj-raw><p>[x]</p></mj-raw>{# a note #}<mj-text>", ["[x]"], id="notes"),
    ],
)
def test_statements_of_jinja_may_stand_between_tags(world: TemplateWorld, body: str, shown: list[str]) -> None:
    world.write(mjml(body))

    assert world.faults() == []
    assert all(part in world.render().html for part in shown)


def test_lines_are_those_of_the_author_whatever_jinja_stood_before(world: TemplateWorld) -> None:
    # Lines 2 to 5 are Jinja of several lines; the unknown tag is in line 7.
    body = "{#\n a comment #}{% if\n name is defined %}{{\n name }}{% endif %}\nb\n</mj-text><mj-foo></mj-foo><mj-text>"
    world.write(mjml(body))

    [fault] = world.faults()

    assert fault.startswith("templates/hello.mjml:7 <mj-foo> is not a tag")


def test_every_fault_is_found_in_one_reading(world: TemplateWorld) -> None:
    world.write(mjml("{{ nmae }} {{ name|safe }}"), "{{ nmae }}\n{{ other }}")

    assert [fault.partition(" ")[0] for fault in world.faults()] == [
        "templates/hello.mjml:2",
        "templates/hello.mjml:2",
        "templates/hello.txt:1",
        "templates/hello.txt:2",
    ]


def test_an_expression_may_contain_what_mjml_would_trip_over(world: TemplateWorld) -> None:
    world.write(mjml('{% if name|length < 9 and "a&b" != name %}{{ "<b>" ~ name }}{% endif %}'))

    assert world.faults() == []
    assert "&lt;b&gt;Ada" in world.render().html


def test_transactional_mail_needs_no_footer(world: TemplateWorld) -> None:
    world.write(mjml(footer="Bye"), "Bye")

    assert world.faults(topic=None) == []


def test_the_text_must_print_the_footer_too(world: TemplateWorld) -> None:
    world.write(mjml(), "Bye")

    assert [fault.partition(" Put")[0] for fault in world.faults()] == [
        "templates/hello.txt A marketing email must print {{ unsubscribe_url }}.",
        "templates/hello.txt A marketing email must print {{ postal_address }}.",
    ]


class TestMissingFiles:
    def test_a_template_that_is_not_there_is_answered_by_those_that_are(self, world: TemplateWorld) -> None:
        world.write(mjml(), name="re_engagement")
        world.write(mjml(), name="welcome")

        [fault] = world.faults(template="re_engagment")

        assert fault == (
            "loops/retention.yaml:12 step 1, action.template There is no template 're_engagment'; a template is "
            "templates/re_engagment.mjml and re_engagment.txt. templates/ has: re_engagement, welcome. "
            "Did you mean 're_engagement'?"
        )

    def test_an_empty_folder_says_so(self, world: TemplateWorld) -> None:
        assert world.faults()[0].endswith("templates/ has no templates.")

    @pytest.mark.parametrize("name", ["../hello", "a/b", "a.mjml", ""])
    def test_a_template_is_never_looked_for_elsewhere(self, world: TemplateWorld, name: str) -> None:
        world.write(mjml())
        world.write(mjml(), name="../hello")

        assert "There is no template" in world.faults(template=name)[0]

    def test_the_text_is_not_optional(self, world: TemplateWorld) -> None:
        world.write(mjml(), None)

        assert world.faults() == [
            "templates/hello.txt The file is missing. Write the text for mail clients without HTML."
        ]

    def test_neither_is_the_email(self, world: TemplateWorld) -> None:
        world.write(None)

        assert world.faults() == ["templates/hello.mjml The file is missing. Write the email itself."]


class TestPersonalization:
    @pytest.mark.parametrize("name", ["unsubscribe_url", "postal_address"])
    def test_reserved_names_are_refused(self, world: TemplateWorld, name: str) -> None:
        world.write(mjml("x"))

        [fault] = world.faults(personalization=((name, "{{user.name}}"),))

        assert fault.startswith(f"loops/retention.yaml:14 step 1, action.personalization.{name} ")
        assert fault.endswith(f"'{name}' comes from the sender's settings. Choose another.")

    @pytest.mark.parametrize("name", ["first-name", "if", "loop", "1st", ""])
    def test_a_name_that_no_template_can_use_is_refused(self, world: TemplateWorld, name: str) -> None:
        world.write(mjml("x"))

        [fault] = world.faults(personalization=((name, "x"),))

        assert "cannot be a name in a template." in fault

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("{{user.name", "This is not Jinja"),
            ("{{user.name|uper}}", "|uper is not a filter. Did you mean upper?"),
            ("{{users.name}}", "{{ users }} is not provided; the step provides: user, row. Did you mean user?"),
        ],
    )
    def test_its_expressions_are_checked(self, world: TemplateWorld, text: str, fault: str) -> None:
        world.write(mjml())

        [found] = world.faults(personalization=(("name", text), ("lastActivity", "x")))

        assert found.startswith("loops/retention.yaml:14")
        assert fault in found


class TestSender:
    @pytest.mark.parametrize(
        ("changed", "fault"),
        [
            ({"postalAddress": " "}, "sender.postal_address A marketing email needs the sender's postal address."),
            ({"unsubscribeUrl": "https://example.com/{{row.id}}"}, "the sender provides: user."),
            ({"unsubscribeUrl": "https://example.com/{{user.id|uper}}"}, "|uper is not a filter. Did you mean upper?"),
        ],
    )
    def test_a_sender_that_cannot_send_is_refused(
        self, world: TemplateWorld, changed: dict[str, str], fault: str
    ) -> None:
        world.write(mjml(), FOOTER)
        sender = Sender.model_validate({**SENDER.model_dump(by_alias=True), **changed})

        found = TemplateWorld(world.folder, sender).faults()

        assert any(fault in one for one in found), found
        assert all(one.startswith("skene.yaml") for one in found)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        pytest.param(
            mjml("Hello{% endif %}", subject="{% if name %}Hello {{ name }}"),
            "subject",
            id="from the subject to the body",
        ),
        pytest.param(
            # MJML puts the preview into the body, behind all of the head.
            mjml("Hello").replace(
                "</mj-head>", "<mj-preview>{% if name %}</mj-preview><mj-raw>{% endif %}</mj-raw></mj-head>"
            ),
            "HTML",
            id="in another order",
        ),
    ],
)
def test_a_pair_that_mjml_tears_apart_is_refused(world: TemplateWorld, source: str, part: str) -> None:
    world.write(source)

    (fault,) = world.faults()

    assert f"The {part} does not survive MJML" in fault
    assert "must be inside one element" in fault


@pytest.mark.parametrize(
    "link",
    [
        pytest.param('<a href="app.example.com/x">Open</a>', id="a link without https://"),
        pytest.param('<a href="/account">Open</a>', id="a link within a site"),
        pytest.param('<img src="logo.png" alt="Logo" />', id="a picture beside the file"),
    ],
)
def test_an_address_that_leads_nowhere_from_an_email_is_refused(world: TemplateWorld, link: str) -> None:
    world.write(mjml(link))

    (fault,) = world.faults()

    assert fault.startswith("templates/hello.mjml:2 ")
    assert "leads nowhere from an email. Begin the address with https://." in fault


@pytest.mark.parametrize("link", ["https://example.com", "mailto:hello@example.com", "tel:+123", "#top", ""])
def test_an_address_that_an_email_can_follow_is_no_fault(world: TemplateWorld, link: str) -> None:
    world.write(mjml(f'<a href="{link}">Open</a>'))

    assert world.faults() == []


# HTML Living Standard, 13.1.2: void elements; but for two that no email shows, `embed` and `track`.
@pytest.mark.parametrize("tag", ["area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"])
def test_a_tag_that_html_never_closes_is_not_left_open(world: TemplateWorld, tag: str) -> None:
    world.write(mjml(f"<p>a<{tag}>b<{tag} />c<{tag}></{tag}></p>"))

    assert not [fault for fault in world.faults() if "never closed" in fault or "closes nothing" in fault]
