"""The tags and attributes of MJML 4 that mrml renders, and where they may stand.

mrml silently drops what it does not know, and silently renders misplaced tags as they come.
"""

from collections.abc import Mapping

_TAGS = """
    mjml mj-head mj-attributes mj-all mj-class mj-breakpoint mj-font mj-preview mj-style mj-title
    mj-body mj-raw mj-wrapper mj-section mj-group mj-column mj-hero
    mj-text mj-image mj-button mj-divider mj-spacer mj-table mj-social mj-social-element mj-navbar mj-navbar-link
    mj-accordion mj-accordion-element mj-accordion-title mj-accordion-text mj-carousel mj-carousel-image
    """

_ATTRIBUTES = """
    align alt aria-label aria-labelledby background background-color background-height background-position
    background-position-x background-position-y background-repeat background-size background-url background-width
    base-url border border-bottom border-collapse border-color border-left border-radius border-right border-spacing
    border-style border-top border-width cellpadding cellspacing class color container-background-color css-class dir
    direction fluid-on-mobile font-family font-size font-style font-weight full-width hamburger height href
    ico-align ico-close ico-color ico-font-family ico-font-size ico-line-height ico-open ico-padding
    ico-padding-bottom ico-padding-left ico-padding-right ico-padding-top ico-text-decoration ico-text-transform
    icon-align icon-height icon-padding icon-position icon-size icon-unwrapped-alt icon-unwrapped-url icon-width
    icon-wrapped-alt icon-wrapped-url inline inner-background-color inner-border inner-border-bottom
    inner-border-left inner-border-radius inner-border-right inner-border-top inner-height inner-padding
    inner-padding-bottom inner-padding-left inner-padding-right inner-padding-top inner-width lang left-icon
    letter-spacing line-height max-height max-width mj-class mode name owa padding padding-bottom padding-left
    padding-right padding-top position rel right-icon role sizes src srcset table-layout target tb-border
    tb-border-radius tb-hover-border-color tb-selected-border-color tb-width text-align text-decoration text-padding
    text-transform thumbnails thumbnails-src title usemap vertical-align white-space width word-spacing
    """

TAGS = frozenset(_TAGS.split())
ATTRIBUTES = frozenset(_ATTRIBUTES.split())

_IN_A_COLUMN = frozenset(
    {
        *("mj-accordion", "mj-button", "mj-carousel", "mj-divider", "mj-image", "mj-navbar"),
        *("mj-raw", "mj-social", "mj-spacer", "mj-table", "mj-text"),
    }
)
_HTML = (
    *("mj-title", "mj-preview", "mj-style", "mj-raw", "mj-text", "mj-button", "mj-table"),
    *("mj-accordion-title", "mj-accordion-text", "mj-navbar-link", "mj-social-element"),
)
HTML_TAGS = frozenset(_HTML)
"""Tags that hold text and HTML, and no tag of MJML."""

CHILDREN: Mapping[str, frozenset[str]] = {
    # What MJML's own validator allows: mjml-preset-core, dependencies.js (MJML 4, 2026-11).
    "mjml": frozenset({"mj-head", "mj-body", "mj-raw"}),
    "mj-head": frozenset({"mj-attributes", "mj-breakpoint", "mj-font", "mj-preview", "mj-style", "mj-title", "mj-raw"}),
    "mj-body": frozenset({"mj-section", "mj-wrapper", "mj-hero", "mj-raw"}),
    "mj-wrapper": frozenset({"mj-section", "mj-hero", "mj-raw"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _IN_A_COLUMN,
    "mj-hero": _IN_A_COLUMN,
    "mj-accordion": frozenset({"mj-accordion-element", "mj-raw"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text", "mj-raw"}),
    "mj-carousel": frozenset({"mj-carousel-image"}),
    "mj-navbar": frozenset({"mj-navbar-link", "mj-raw"}),
    "mj-social": frozenset({"mj-social-element", "mj-raw"}),
    "mj-attributes": TAGS - {"mjml", "mj-head", "mj-body", "mj-attributes"},
    "mj-class": TAGS - {"mjml", "mj-head", "mj-body", "mj-attributes"},
}
"""What may stand right inside a tag that holds tags; one that is neither here nor in `HTML_TAGS` holds nothing."""

NOT_RENDERED: Mapping[str, str] = {
    "mj-html-attributes": "Write that part of the email in <mj-raw>, as HTML with the attribute.",
    "mj-selector": "Write that part of the email in <mj-raw>, as HTML with the attribute.",
    "mj-html-attribute": "Write that part of the email in <mj-raw>, as HTML with the attribute.",
    "mj-html": "Write <mj-raw>.",
    "mj-container": "Remove it: its content belongs directly in <mj-body>.",
}
"""Tags that MJML has, or once had, and mrml lacks; and what to write instead."""

NOT_RENDERED_ATTRIBUTES: Mapping[str, str] = {"gap": "Give the sections `padding`."}
"""Attributes that MJML has and mrml ignores."""

VALUE_ATTRIBUTES = frozenset({"alt", "title", "aria-label"})
"""Attributes that a value may stand in as text. Elsewhere it could style or script the email."""

LINK_ATTRIBUTES = frozenset({"href", "src"})
"""Attributes that a value may stand in as an address."""

VOID_TAGS = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
"""HTML tags that are never closed."""
