"""An email on the report's page: it loads nothing, runs nothing and leads nowhere, and looks as it did."""

import pytest

from skene_dagster.report.mails.harmless import harmless


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        pytest.param(
            '<a href="https://x.example/a?b=1&amp;c=2" style="color:#fff">Go</a>',
            '<a style="color:#fff">Go</a>',
            id="link",
        ),
        pytest.param(
            '<img alt="Us" src="https://x.example/1.png" width="9"/>', '<img alt="Us" width="9">', id="picture"
        ),
        pytest.param(
            '<img src="data:image/png;base64,AA==">', '<img src="data:image/png;base64,AA==">', id="picture in it"
        ),
        pytest.param("<!--[if mso]><table><![endif]-->Hi", "Hi", id="for Outlook"),
        pytest.param("<!--[if !mso]><!--><b>Hi</b><!--<![endif]-->", "<b>Hi</b>", id="for all but Outlook"),
        pytest.param("<script>alert('1')</script>Hi", "Hi", id="script"),
        pytest.param('<p onclick="alert(1)">Hi</p>', "<p>Hi</p>", id="script in an attribute"),
        pytest.param(
            '<td background="x.png" style="background:url(x.png) red">',
            '<td style="background:none red">',
            id="background",
        ),
        pytest.param(
            "<style>@import url(x.css); a>b{color:red}</style>", "<style> a>b{color:red}</style>", id="import"
        ),
        pytest.param(
            '<link rel="stylesheet" href="x.css"><base href="https://x.example">', "", id="elements that load"
        ),
        pytest.param('<meta http-equiv="refresh" content="0;url=x">', "", id="going elsewhere"),
        pytest.param(
            '<p title="&quot;x&quot; &amp; y">a &amp; b &#847;&zwnj;</p>',
            '<p title="&#34;x&#34; &amp; y">a &amp; b &#847;&zwnj;</p>',
            id="text",
        ),
    ],
)
def test_what_is_shown_of_it(html: str, shown: str) -> None:
    assert harmless(html) == shown


def test_a_browser_is_told_to_load_nothing() -> None:
    assert harmless("<!doctype html><html><head><title>x</title></head></html>").startswith(
        '<!doctype html><html><head><meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
    )
