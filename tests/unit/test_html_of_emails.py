"""What people read of an HTML part, and where its links lead."""

import pytest

from skene_dagster.delivery.received.html import Link, shown


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("Hello <b>A</b>da", "Hello Ada"),
        ("<td>1 Street</td><td>Town</td>", "1 Street Town"),
        ("1 Street<br>Town", "1 Street Town"),
        ("a &amp; b &lt; c&nbsp;d", "a & b < c d"),
        ("a < b, c <3", "a < b, c <3"),
        ("<!-- <p>x</p> -->y", "y"),
        ("<!DOCTYPE html><?xml version='1>0'?><p>x", "x"),
        ("<style>p > a {}</style>x<script>if (a < b) {}</script>y", "xy"),
        ("<div style='DISPLAY : none'><div>a</div>b<br></div>c", "c"),
        ("<img style='display:none'>x", "x"),
        ("<p title='a > b'>x</p>", "x"),
        ("x<p", "x"),
        ("x<p title='", "x"),
        ("x<!-- y", "x"),
        ("", ""),
    ],
)
def test_what_is_seen_is_read(html: str, text: str) -> None:
    assert shown(html).text == text


@pytest.mark.parametrize(
    ("html", "links"),
    [
        (
            "<a href='https://a.example/?x=1&amp;y=2'><b>No</b> more</a>",
            [Link("https://a.example/?x=1&y=2", "No more")],
        ),
        ('<A class=x HREF=" https://a.example ">x</A>', [Link("https://a.example", "x")]),
        ("<a href=https://a.example>x</a>", [Link("https://a.example", "x")]),
        ("<a name='x'>x</a>", []),
        ("<p style='visibility:hidden'><a href='x'>x</a></p><a href='y'>y</a>", [Link("y", "y")]),
        ("<!-- <a href='x'>x</a> -->", []),
    ],
)
def test_links_are_read_with_their_words(html: str, links: list[Link]) -> None:
    assert shown(html).links == links
