"""MJML to HTML, once: Jinja is taken out, mrml compiles what is left, Jinja is put back.

So an expression may contain `<`, `&` and quotes, and no value of a user's ever meets an XML parser.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import mrml

from skene_dagster import locales
from skene_dagster.codes import Code
from skene_dagster.delivery.email.mjml.lint import Lint, Root, TooDeep, Values
from skene_dagster.delivery.email.mjml.source import TOKEN, Fault, Protected

# mrml 0.2, 2026-11: by itself it fetches some fonts, such as Roboto and Ubuntu, its default, from a third party.
_NO_FONTS = mrml.RenderOptions(fonts={})


@dataclass(frozen=True)
class Compiled:
    """Jinja sources of one email."""

    html: str
    subject: str
    language: str
    """Its tag, in lower case; empty where neither the file nor its name says it."""
    in_order: bool
    """The statements stand in the HTML in the order of the file: what the file pairs is paired there.

    But for those of the subject, which MJML repeats; they are whole if the subject is.
    """


class Faulty(Exception):
    """The file cannot be compiled; `faults` says why."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


@lru_cache(maxsize=128)
def compile_mjml(source: str, language: str = "") -> Compiled:
    """Compile an MJML file with Jinja in it; a value in `href` or `src` is checked to be an address when it is printed.

    Args:
        language: the tag in the name of the file, in lower case; empty: it has none, and `<mjml lang>` may say it.

    Raises:
        Faulty: with every fault that was found. Jinja's own syntax is taken as correct.
    """
    if word := TOKEN.search(source):
        line = source[: word.start()].count("\n") + 1
        raise Faulty([Fault(line, f"The word {word[0]} cannot be used.", "Write it differently.", code=Code.MJML)])
    protected = Protected(source)
    lint = Lint(protected)
    try:
        lint.feed(protected.text)
        lint.close()
    except TooDeep as deep:
        raise Faulty([deep.fault]) from None
    lint.finish()
    if lint.faults:
        raise Faulty(lint.faults)
    assert lint.root is not None  # without it there is a fault
    if fault := _fault_of_language(lint.root, language):
        raise Faulty([fault])
    language = language or locales.tag_of(lint.root.attributes.get("lang"))
    try:
        output = mrml.to_html(_in_its_language(protected.text, lint.root, language), None, _NO_FONTS)
    except OSError as bad:
        raise Faulty([_refused_by_mrml(str(bad), protected)]) from None
    subject = " ".join(html.unescape(output.title or "").split())
    # Once more, on what mrml made of it: two parsers need not agree on where a tag ends.
    made = Values(protected)
    made.feed(output.content)
    made.close()
    if made.faults:
        raise Faulty(made.faults)
    kept = {int(found[1]) for found in TOKEN.finditer(output.content)}
    lost = [n for n in range(len(protected.constructs)) if n not in kept]
    if lost:
        raise Faulty(
            Fault(protected.lines_of[n], f"{protected.shown(n)} is where MJML prints nothing.", code=Code.MJML)
            for n in lost
        )
    in_subject = protected.statements_in(output.title or "")
    in_file, in_html = (
        [number for number in protected.statements_in(where) if number not in in_subject]
        for where in (protected.text, output.content)
    )
    return Compiled(
        html=protected.restore(output.content, made.links),
        subject=protected.restore(subject),
        language=language,
        in_order=in_file == in_html,
    )


def _fault_of_language(root: Root, language: str) -> Fault | None:
    said = root.attributes.get("lang")
    if said is None:
        return None
    if not (tag := locales.tag_of(said)):
        return Fault(
            root.line, f"lang={said!r} is not a language tag.", "Write one like en or pt-BR.", code=Code.LANGUAGE
        )
    if language and tag != language:
        message = f"The file's name says {locales.spelled(language)!r}, and <mjml> says lang={said!r}."
        return Fault(root.line, message, "Leave `lang` out: the name says it.", code=Code.LANGUAGE)
    return None


def _in_its_language(text: str, root: Root, language: str) -> str:
    """Say on <mjml> which language the email is in, and how it is written, as far as its author does not."""
    ours = {"lang": locales.spelled(language), "dir": locales.direction(language)} if language else {}
    added = "".join(f' {name}="{value}"' for name, value in ours.items() if name not in root.attributes)
    return f"{text[: root.end]}{added}{text[root.end :]}"


def _refused_by_mrml(text: str, protected: Protected) -> Fault:
    found = re.search(r"position (\d+):(\d+)", text)
    if found is None:
        return Fault(None, f"This is not MJML: {text.replace(' in root template', '')}.", code=Code.MJML)
    before, here = (protected.text.encode()[: int(end)].decode(errors="ignore") for end in found.groups())
    line = protected.author_line(before.count("\n") + 1)
    here = here[len(before) :].strip()
    shown = TOKEN.sub(lambda token: protected.shown(int(token[1])), here)
    return Fault(
        line, f"{shown} cannot be used here.", "Text and values belong in <mj-text> or <mj-raw>.", code=Code.MJML
    )
