"""The tags and attributes of MJML 4 that mrml renders. It drops what it does not know, without a word."""

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

VALUE_ATTRIBUTES = frozenset({"alt", "title", "aria-label"})
"""Attributes that a value may stand in as text. Elsewhere it could style or script the email."""

LINK_ATTRIBUTES = frozenset({"href", "src"})
"""Attributes that a value may stand in as an address."""

VOID_TAGS = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
"""HTML tags that are never closed."""
