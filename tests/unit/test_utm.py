"""UTM parameters: on links to the product's own pages alone, which keep all that they have."""

from pathlib import Path

import pytest
from template_world import FOOTER, TemplateWorld, mjml
from test_topics import LOOP, PUBLIC, fault, planned

from skene_dagster.delivery.email.utm import Tagging
from skene_dagster.loops.plan import LinkTags
from skene_dagster.loops.variants import in_each

ADDED = "utm_source=skene&utm_content=a%26b%20%22c%22"
TAGS = LinkTags(("example.com", "xn--bcher-kva.example"), (("utm_source", "skene"), ("utm_content", 'a&b "c"')))
TAGGING = Tagging(TAGS, ["https://example.com/unsubscribe/7", "https://mail.example.com/u/"])
UTM = "utm: {hosts: [example.com]}\n"


@pytest.mark.parametrize(
    ("link", "tagged"),
    [
        pytest.param("https://example.com", "https://example.com?ADDED", id="a host alone"),
        pytest.param("http://app.example.com/a", "http://app.example.com/a?ADDED", id="a host below"),
        pytest.param("HTTPS://Example.COM:8443/a", "HTTPS://Example.COM:8443/a?ADDED", id="capitals and a port"),
        pytest.param("https://example.com./a", "https://example.com./a?ADDED", id="a host with its dot"),
        pytest.param("https://bücher.example/ä", "https://bücher.example/ä?ADDED", id="letters that are not ASCII"),
        pytest.param("https://example.com/a?b=1", "https://example.com/a?b=1&ADDED", id="a query"),
        pytest.param("https://example.com/a?b&", "https://example.com/a?b&ADDED", id="a query that is open"),
        pytest.param("https://example.com/a#b", "https://example.com/a?ADDED#b", id="a fragment"),
        pytest.param(
            "https://example.com/?b=1#/c?d", "https://example.com/?b=1&ADDED#/c?d", id="a query in a fragment"
        ),
        pytest.param(
            "https://example.com/?utm_source=x",
            "https://example.com/?utm_source=x&utm_content=a%26b%20%22c%22",
            id="a parameter that it has",
        ),
        pytest.param("https://example.com/?a=%2F+1", "https://example.com/?a=%2F+1&ADDED", id="what is encoded stays"),
    ],
)
def test_a_link_to_the_product_gets_what_it_lacks(link: str, tagged: str) -> None:
    tagged = tagged.replace("ADDED", ADDED)
    in_html, tagged_in_html = link.replace("&", "&amp;"), tagged.replace("&", "&amp;")

    assert TAGGING.text(f"See {link} now") == f"See {tagged} now"
    assert TAGGING.html(f'<a class="b" href="{in_html}">x</a>') == f'<a class="b" href="{tagged_in_html}">x</a>'
    assert TAGGING.html(f"<a href = '{in_html}'>x</a>") == f"<a href = '{tagged_in_html}'>x</a>"
    assert TAGGING.text(TAGGING.text(link)) == tagged


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("https://example.org/", id="another host"),
        pytest.param("https://notexample.com/", id="a host that ends alike"),
        pytest.param("https://example.com.evil.example/", id="a host that begins alike"),
        pytest.param("https://example.com@evil.example/", id="a user who is called like it"),
        pytest.param("https://evil.example\\@example.com/", id="a host that a browser reads otherwise"),
        pytest.param("https://[::1/", id="no address"),
        pytest.param("mailto:a@example.com", id="an address"),
        pytest.param("https://example.com/unsubscribe/7?x=1", id="where the recipient says no"),
        pytest.param("https://mail.example.com/u/token", id="our own page for it"),
        pytest.param("https://example.com/?utm_source=a&utm_content=", id="it has all of them"),
    ],
)
def test_any_other_link_stays(link: str) -> None:
    in_html = f'<a href="{link.replace("&", "&amp;")}">x</a>'

    assert TAGGING.html(in_html) == in_html
    assert TAGGING.text(f"{link} x") == f"{link} x"


@pytest.mark.parametrize(
    "html",
    [
        '<link rel="stylesheet" href="https://example.com/a.css">',
        '<img src="https://example.com/a.png">',
        '<a data-href="https://example.com/">x</a>',
        '<a title="href=https://example.com/">x</a>',
        "<p>https://example.com/</p>",
    ],
)
def test_what_nobody_clicks_stays(html: str) -> None:
    assert TAGGING.html(html) == html


def test_what_outlook_alone_reads_is_tagged_too() -> None:
    html = '<!--[if mso]><v:roundrect xmlns:v="urn" href="https://example.com/a"></v:roundrect><![endif]-->'

    assert "https://example.com/a?utm_source=skene" in TAGGING.html(html)


@pytest.mark.parametrize(
    ("written", "tagged"),
    [
        ("", "ADDED"),
        ("&copy=1", "&copy=1&amp;ADDED"),
        ("b=&#39;c&#39;#d", "b=&#39;c&#39;&amp;ADDED#d"),
        ("b&amp;c=1", "b&amp;c=1&amp;ADDED"),
        ("b&amp;", "b&amp;ADDED"),
    ],
)
def test_each_character_of_a_link_in_html_stays_as_it_is_written(written: str, tagged: str) -> None:
    tagged = tagged.replace("ADDED", ADDED.replace("&", "&amp;"))

    assert TAGGING.html(f'<a href="https://example.com/?{written}">') == f'<a href="https://example.com/?{tagged}">'


@pytest.mark.parametrize(
    ("text", "tagged"),
    [
        ("(see https://example.com/a).", "(see https://example.com/a?ADDED)."),
        ("<https://example.com/a>", "<https://example.com/a?ADDED>"),
        ("https://example.com/a_(b), or", "https://example.com/a_(b)?ADDED, or"),
        (
            "[1] https://example.com/a!\nhttps://example.com/b",
            "[1] https://example.com/a?ADDED!\nhttps://example.com/b?ADDED",
        ),
    ],
)
def test_in_a_text_a_link_ends_where_people_see_it_end(text: str, tagged: str) -> None:
    assert TAGGING.text(text) == tagged.replace("ADDED", ADDED)


def test_an_email_is_tagged_in_both_parts_and_its_unsubscribe_link_in_neither(tmp_path: Path) -> None:
    world, link = TemplateWorld(tmp_path), "https://example.com/a?b=1&amp;c=2#d"
    world.write(
        mjml(
            f'<a href="{link}">x</a> {{{{ name }}}}',
            footer='<a href="{{ unsubscribe_url }}">no</a> {{ postal_address }}',
        ),
        f"https://example.com/a#d {FOOTER}",
    )

    message = world.render(utm=TAGS)

    added = ADDED.replace("&", "&amp;")
    assert f'href="https://example.com/a?b=1&amp;c=2&amp;{added}#d"' in message.html
    assert message.text.startswith(f"https://example.com/a?{ADDED}#d ")
    assert 'href="https://example.com/unsubscribe/7"' in message.html
    assert message.text.endswith("https://example.com/unsubscribe/7")
    assert "utm" not in str(message.headers)


@pytest.mark.parametrize(
    ("settings", "loop", "parameters"),
    [
        pytest.param(
            UTM,
            "",
            {"utm_source": "skene", "utm_medium": "email", "utm_campaign": "retention", "utm_content": "main"},
            id="by default the loop and the step",
        ),
        pytest.param(
            "utm: {hosts: [example.com], source: orbit, medium: mail, campaign: q4, term: x}\n",
            "utm: {campaign: spring, content: blue}\n",
            {
                "utm_source": "orbit",
                "utm_medium": "mail",
                "utm_campaign": "spring",
                "utm_term": "x",
                "utm_content": "blue",
            },
            id="the loop's own before the project's",
        ),
        pytest.param("", "", None, id="none, where nobody asks for them"),
    ],
)
def test_the_parameters_are_those_of_the_project_and_of_the_loop(
    tmp_path: Path, settings: str, loop: str, parameters: dict[str, str] | None
) -> None:
    email = planned(tmp_path, PUBLIC + settings, loop + LOOP).steps[0].email

    assert email is not None
    assert (email.utm and dict(email.utm.parameters)) == parameters


@pytest.mark.parametrize(("loop", "contents"), [("", ["main.a", "main.b"]), ("utm: {content: c}\n", ["c", "c"])])
def test_variants_are_told_apart(tmp_path: Path, loop: str, contents: list[str]) -> None:
    for variant in "ab":
        for ending in ("mjml", "txt"):
            file = tmp_path / "templates" / f"hello.{variant}.{ending}"
            file.parent.mkdir(exist_ok=True)
            text = mjml("x") if ending == "mjml" else FOOTER
            file.write_text(text, encoding="utf-8")
    email = (
        planned(tmp_path, PUBLIC + UTM, loop + LOOP.replace("hello", "hello, variants: {a: 1, b: 1}")).steps[0].email
    )

    assert email is not None
    assert [dict(one.utm.parameters)["utm_content"] for one in in_each(email) if one.utm] == contents


def test_a_loop_cannot_tag_links_of_which_nobody_knows_whose_they_are(tmp_path: Path) -> None:
    assert fault(tmp_path, PUBLIC, f"utm: {{campaign: x}}\n{LOOP}") == (
        "loops/loop.yaml:1 utm skene.yaml does not say which hosts are the product's own. "
        "Add to skene.yaml: `utm: {hosts: [example.com]}`."
    )


@pytest.mark.parametrize("host", ["https://example.com", "example.com/a", "*.example.com", "", "a b"])
def test_a_host_is_a_host(tmp_path: Path, host: str) -> None:
    assert "is not a host. Write it without https:// and path: example.com" in fault(
        tmp_path, PUBLIC + f"utm: {{hosts: ['{host}']}}\n"
    )
