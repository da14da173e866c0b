"""Templates that cost memory or time, when they are read or when an email is made; each breaks its own loop only."""

from collections.abc import Iterator

from bad_loops import YAML
from hostile import Hostile, named
from small_project import MJML, TEXT

LOOP = YAML.replace('"re_engagement"', '"bad"').replace("'7 days'", "'8 days'")
DOUBLING = "{% set a = 'aaaaaaaaaa' %}"

EXPRESSIONS = {
    "'a' * 10**9": "{{ 'a' * 10**9 }}",
    "10**9 * 'a'": "{{ 10**9 * 'a' }}",
    "a product of products": "{{ 'x' * 99999 * 99999 }}",
    "a list times": "{{ ([1] * 10**9)|length }}",
    "a tuple times": "{{ ((1,) * 10**9)|length }}",
    "a list of texts, joined": "{{ (['a' * 100000] * 100000)|join }}",
    "a list of texts, as a text": "{{ (['a' * 100000] * 100000)|string }}",
    "a large power": "{{ 9 ** 9 ** 9 }}",
    "a large power of a large power": "{{ (10 ** 1000) ** 1000 }}",
    "a negative power": "{{ 2 ** -1000000000 }}",
    "a large product": "{{ " + "9999999999 * " * 5_000 + "1 }}",
    "a number of 100,000 digits": "{{ " + "9" * 100_000 + " }}",
    "a number of 100,000 digits, as hexadecimal": "{{ 0x" + "f" * 100_000 + " }}",
    "%1000000000d": "{{ '%1000000000d' % 1 }}",
    "%*d": "{{ '%*d' % (1000000000, 1) }}",
    "%.1000000000f": "{{ '%.1000000000f' % 1 }}",
    "%(a)1000000000s": "{{ '%(a)1000000000s' % {'a': 1} }}",
    "|format": "{{ '%1000000000d'|format(1) }}",
    "|format of many": "{{ ('%(a)s' * 10000)|format(a='a' * 100000) }}",
    ".format": "{{ '{:1000000000d}'.format(1) }}",
    ".format of a width": "{{ '{:{}}'.format(1, 1000000000) }}",
    ".format_map": "{{ '{a:1000000000}'.format_map({'a': 1}) }}",
    "|center": "{{ 'a'|center(10**9) }}",
    "|center of digits": "{{ 'a'|center(1000000000) }}",
    ".center": "{{ 'a'.center(1000000000) }}",
    ".ljust": "{{ 'a'.ljust(1000000000) }}",
    ".rjust": "{{ 'a'.rjust(1000000000) }}",
    ".zfill": "{{ 'a'.zfill(1000000000) }}",
    ".expandtabs": "{{ '\\t'.expandtabs(1000000000) }}",
    ".join": "{{ ('a' * 100000).join(['b'] * 100000) }}",
    ".replace": "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
    ".translate": "{{ ('a' * 100000).translate({97: 'b' * 100000}) }}",
    ".to_bytes": "{{ (1).to_bytes(1000000000, 'big')|length }}",
    ".encode": "{{ ('a' * 100000).encode('utf-32')|length }}",
    "|replace": "{{ ('a' * 100000)|replace('a', 'b' * 100000) }}",
    "|replace of nothing": "{{ ('a' * 100000)|replace('', 'b' * 100000) }}",
    "|indent": "{{ ('a\\n' * 1000)|indent(1000000000) }}",
    "|indent by a text": "{{ ('a\\n' * 10000)|indent('b' * 100000) }}",
    "|wordwrap": "{{ ('a ' * 100000)|wordwrap(1, wrapstring='b' * 100000) }}",
    "|wordwrap to nothing": "{{ ('a' * 100000)|wordwrap(0) }}",
    "|batch": "{{ [1]|batch(10**9, 'x')|list|length }}",
    "|batch of nothing": "{{ [1]|batch(-1)|list|length }}",
    "|slice": "{{ [1]|slice(10**9)|list|length }}",
    "|join": "{{ range(100000)|join('b' * 100000) }}",
    "|map and |join": "{{ range(100000)|map('string')|map('center', 100000)|join }}",
    "|map center of many": "{% set x = ('\U0001f600' * 190000)|map('center', 1000)|list %}",
    "a list times, many times": "{% for i in range(60000) %}{% set x = [1] * 300000 %}{% endfor %}",
    "a slice of a list, many times": (
        "{% set x = [1] * 190000 %}{% for i in range(60000) %}{% set y = x[1:] %}{% endfor %}"
    ),
    "|wordwrap of a long word": (
        "{% set x = 'a' * 290000 %}{% for i in range(20) %}{% set y = x|wordwrap(1) %}{% endfor %}"
    ),
    "|map center": "{{ ['a']|map('center', 10**9)|join }}",
    "|round": "{{ 1|round(1000000000) }}",
    "|round up": "{{ 1|round(1000000000, 'ceil') }}",
    "|sum of lists": "{{ ([[1] * 1000] * 1000)|sum(start=[])|length }}",
    "|truncate": "{{ ('a ' * 100000)|truncate(10, end='b' * 100000) }}",
    "|filesizeformat": "{{ (10 ** 400)|filesizeformat }}",
    "|int of digits": "{{ ('9' * 100000)|int }}",
    "|int of many bases": "{{ ('f' * 100000)|int(base=16) }}",
    "|float": "{{ ('9' * 100000)|float }}",
    "|list of a text": "{{ ('a' * 100000)|list|length }}",
    "|groupby": "{{ ([{'a': 1}] * 100000)|groupby('a')|length }}",
    "|sort": "{{ range(100000)|sort(reverse=true)|length }}",
    "|unique": "{{ range(100000)|unique|list|length }}",
    "|striptags": "{{ ('<' * 100000)|striptags }}",
    "|striptags of comments": "{{ ('<!--' * 25000)|striptags }}",
    "|title": "{{ ('a ' * 100000)|title }}",
    "|wordcount": "{{ ('a ' * 100000)|wordcount }}",
    "|urlencode": "{{ ('\u00e9' * 100000)|urlencode }}",
    "|escape": "{{ ('&' * 100000)|escape|escape|escape|length }}",
    "|date": "{{ '2026-01-01'|date('%Y' * 100000) }}",
    "|date with a width": "{{ '2026-01-01'|date('%1000000000Y') }}",
    "lipsum": "{{ lipsum(n=1000000) }}",
    "cycler": "{{ cycler('a' * 10**9) }}",
    "range of range": "{{ range(10**9) }}",
    "range as a list": "{{ range(10**9)|list|length }}",
    "range within the limit": "{{ range(99999)|list|length }}",
    "a range of ranges": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% f"
        "or c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}"
    ),
    "a range of ranges that prints": "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "loops over a text": (
        "{% set t = 'a' * 10000 %}{% for a in t %}{% for b in t %}{% for c in t %}{% endfor %}{% endfor %}{% endfor %}"
    ),
    "a loop that calls itself": "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "a loop that calls itself twice": (
        "{% for a in [1, 2] recursive %}{{ loop([1, 2]) if loop.depth < 60 }}{% endfor %}"
    ),
    "a macro that calls itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "a macro that calls itself twice": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"
    ),
    "a macro that prints twice": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% else %}x{% endif %}{% endmacro %}{{ f(40) }}"
    ),
    "doubling by ~": DOUBLING + "{% set a = a ~ a %}" * 40 + "{{ a|length }}",
    "doubling by +": DOUBLING + "{% set a = a + a %}" * 40 + "{{ a|length }}",
    "doubling of a list": "{% set a = [1] %}" + "{% set a = a + a %}" * 40 + "{{ a|length }}",
    "doubling by a block": DOUBLING + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40 + "{{ a|length }}",
    "doubling by %": DOUBLING + "{% set a = '%s%s' % (a, a) %}" * 40 + "{{ a|length }}",
    "doubling by a filter": DOUBLING + "{% set a = [a, a]|join %}" * 40 + "{{ a|length }}",
    "doubling by .join": DOUBLING + "{% set a = ''.join([a, a]) %}" * 40 + "{{ a|length }}",
    "doubling by .replace": DOUBLING + "{% set a = a.replace('a', 'aa') %}" * 40 + "{{ a|length }}",
    "doubling by |replace": DOUBLING + "{% set a = a|replace('a', 'aa') %}" * 40 + "{{ a|length }}",
    "doubling by |escape": "{% set a = '&' %}" + "{% set a = a|string|forceescape %}" * 60 + "{{ a|length }}",
    "squaring": "{% set a = 9 %}" + "{% set a = a * a %}" * 40 + "{{ a }}",
    "squaring by **": "{% set a = 9 %}" + "{% set a = a ** a %}" * 4 + "{{ a }}",
    "lists of lists, as a text": "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a|string|length }}",
    "lists of lists, compared": "{% set a = [1] %}{% set b = [1] %}"
    + "{% set a = [a, a] %}{% set b = [b, b] %}" * 40
    + "{{ a == b }}",
    "lists of lists, in a text": "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ '%s' % (a,) }}",
    "lists of lists, joined": "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a|join }}",
    "lists of lists, by ~": "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ (a ~ '')|length }}",
    "lists of lists, in lower case": "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a|lower|length }}",
    "1,000 parentheses": "{{ " + "(" * 1_000 + "1" + ")" * 1_000 + " }}",
    "10,000 parentheses": "{{ " + "(" * 10_000 + "1" + ")" * 10_000 + " }}",
    "10,000 sums": "{{ 1" + " + 1" * 10_000 + " }}",
    "10,000 tildes": "{{ 1" + " ~ 1" * 10_000 + " }}",
    "10,000 NOT": "{{ " + "not " * 10_000 + "1 }}",
    "10,000 filters": "{{ 1" + "|string" * 10_000 + " }}",
    "10,000 attributes": "{{ name" + ".a" * 10_000 + " }}",
    "10,000 brackets": "{{ " + "[" * 10_000 + "]" * 10_000 + " }}",
    "300 blocks": "{% if 1 %}" * 300 + "{% endif %}" * 300,
    "5,000 blocks": "{% if 1 %}" * 5_000 + "{% endif %}" * 5_000,
    "300 loops": "{% for a in [1] %}" * 300 + "{% endfor %}" * 300,
    "5,000 cases": "{% if 0 %}" + "{% elif 0 %}" * 5_000 + "{% endif %}",
    "10,000 values": "{{ name }}" * 10_000,
    "a name of 50,000 letters": "{{ " + "a" * 50_000 + " }}",
    "a filter of 50,000 letters": "{{ 1|" + "a" * 50_000 + " }}",
    "a text without an end": "{{ '" + "\\" * 20_001 + " }}",
    "a comment without an end": "{#" * 20_000,
    "an expression without an end": "{{ " * 20_000,
    "a block without an end": "{% if " * 20_000,
    "raw without an end": "{% raw %}" * 10_000,
    "an unknown tag": "{% " + "a" * 50_000 + " %}",
    "a world of its own": "{{ ''.__class__.__mro__ }}",
    "globals": "{{ range.__globals__ }}",
    "self": "{{ self._TemplateReference__context }}",
    "an include": "{% include '/etc/passwd' %}",
    "an import": "{% import '/etc/passwd' as x %}",
    "an extension": "{% extends '/etc/passwd' %}",
    "do": "{% do x %}",
    "debug": "{% debug %}",
}

IN_TEXT = (
    "'a' * 10**9",
    "|center",
    "doubling by ~",
    "10,000 parentheses",
    "a comment without an end",
    "a range of ranges",
)
"""What stands in the text part as well: it is the same sandbox."""

MARKUP = {
    "1,000 tags": "<mj-text>" * 1_000,
    "5,000 sections": "<mj-section>" * 5_000 + "</mj-section>" * 5_000,
    "5,000 wrappers": "<mj-wrapper>" * 5_000 + "</mj-wrapper>" * 5_000,
    "20,000 less-thans": "<" * 20_000,
    "20,000 comments": "<!--" * 20_000,
    "20,000 declarations": "<!" * 20_000,
    "20,000 instructions": "<?" * 20_000,
    "20,000 sections of data": "<![CDATA[" * 10_000,
    "20,000 ends": "</" * 20_000,
    "20,000 ends of a tag": "</a" * 20_000,
    "20,000 begins of a tag": "<a " * 20_000,
    "20,000 open quotes": "<a b='" * 10_000,
    "20,000 attributes": "<mj-text " + "a " * 20_000 + ">x</mj-text>",
    "an attribute of 200 kB": "<mj-text css-class='" + "a" * 200_000 + "'>x</mj-text>",
    "20,000 ampersands": "<mj-text>" + "&" * 20_000 + "</mj-text>",
    "20,000 entities": "<mj-text>" + "&lt;" * 20_000 + "</mj-text>",
    "entities of numbers": "<mj-text>" + "&#99999999999999999999;" * 2_000 + "</mj-text>",
    "100 kB in a text": "<mj-text>" + "a" * 100_000 + "</mj-text>",
    "200 kB in a text": "<mj-text>" + "a" * 200_000 + "</mj-text>",
    "200 kB of blanks": "<mj-text>" + " " * 200_000 + "</mj-text>",
    "2,000 tables in tables": "<mj-text>" + "<table><tr><td>" * 2_000 + "</td></tr></table>" * 2_000 + "</mj-text>",
    "2,000 raw tags": "<mj-raw>" + "<div>" * 2_000 + "</div>" * 2_000 + "</mj-raw>",
    "a NUL": "<mj-text>\0</mj-text>",
    "marks": "<mj-text>\u202e\u2028\u200b</mj-text>",
    "a style": "<mj-style>" + "a{" * 20_000 + "</mj-style>",
    "a style inline": "<mj-style inline='inline'>" + "a{color:red}" * 5_000 + "</mj-style>",
    "a name of 50,000 letters": "<mj-" + "a" * 50_000 + ">",
    "an attribute's name of 50,000 letters": "<mj-text " + "a" * 50_000 + "='1'>x</mj-text>",
    "a width beyond all": "<mj-image width='999999999999999999999999999px' src='https://example.com/x.png' />",
    "a width that is none": "<mj-image width='aaa' src='https://example.com/x.png' />",
    "a padding beyond all": "<mj-text padding='99999999999999999999px 1px'>x</mj-text>",
    "an include": "<mj-include path='/etc/passwd' />",
    "another's words": "<mj-text>jinja0ajnij jinja99999999999999999999ajnij</mj-text>",
    "another's words, 5,000 digits": "<mj-text>jinja" + "9" * 5_000 + "ajnij</mj-text>",
    "an entity of one's own": "<!DOCTYPE a [<!ENTITY b 'c'>]><mj-text>&b;</mj-text>",
    "a processing instruction": "<?php system('ls') ?>",
}

LARGE = {
    "16,000 fallbacks": "<mj-text>" + "{{ name or 1 }}" * 16_000 + "</mj-text>",
    "35,000 values": "<mj-text>" + "{{ name }}" * 24_000 + "</mj-text>",
    "12,000 statements": "<mj-text>" + "{% if 1 %}{% endif %}" * 12_000 + "</mj-text>",
    "20,000 unknown attributes": "<mj-text " + " ".join(f'a{n}="1"' for n in range(20_000)) + ">a</mj-text>",
    "6,000 images of a carousel": "<mj-carousel>" + '<mj-carousel-image src="https://a"/>' * 6_000 + "</mj-carousel>",
}


def _templates() -> Iterator[tuple[str, Hostile]]:
    for name, expression in EXPRESSIONS.items():
        yield f"template: {name}", _template(MJML.replace("Hello {{ name }}", f"Hello {expression}"), TEXT)
        if name in IN_TEXT:
            yield f"text: {name}", _template(MJML, f"{TEXT}{expression}\n")
    for name, markup in (MARKUP | LARGE).items():
        block = "      <mj-text>Hello {{ name }}</mj-text>\n"
        assert block in MJML
        yield f"MJML: {name}", _template(MJML.replace(block, markup), TEXT)


def _template(mjml: str, text: str) -> Hostile:
    files = {"loops/bad.yaml": LOOP, "templates/bad.mjml": mjml, "templates/bad.txt": text}
    return Hostile(files, "templates/bad.", renders=True)


def _personalization() -> Iterator[tuple[str, Hostile]]:
    for name in ("'a' * 10**9", "%1000000000d", "|center", ".center", "a large power", "|round", "10,000 parentheses"):
        expression = EXPRESSIONS[name].replace("\\", "\\\\").replace('"', '\\"')
        loop = YAML.replace("{{user.name}}", expression)
        yield f"personalization: {name}", Hostile({"loops/bad.yaml": loop}, "loops/bad.yaml:18", renders=True)


TEMPLATES = named(_templates()) | named(_personalization())
