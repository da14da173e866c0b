"""What can be checked about a step's email before anybody gets it: every fault, with its file and line."""

import keyword
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from jinja2 import TemplateSyntaxError

from skene_dagster.codes import Code
from skene_dagster.delivery.email import headers
from skene_dagster.delivery.email.languages import ambiguous, languages
from skene_dagster.delivery.email.mjml.compiled import Compiled, Faulty, compile_mjml
from skene_dagster.delivery.email.mjml.source import Fault
from skene_dagster.delivery.email.templates.lint import lint, names_used
from skene_dagster.delivery.email.templates.sandbox import HTML, LINK, TEXT
from skene_dagster.documents import cut, nearest, shown
from skene_dagster.errors import Place, TemplateError
from skene_dagster.files import names_in, read_text
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan
from skene_dagster.loops.variants import in_each
from skene_dagster.settings import FILE, Sender

RESERVED = ("unsubscribe_url", "postal_address")
"""Names that every template gets from the sender's settings."""


# Words with a meaning of their own inside {{ … }}.
_JINJA_WORDS = frozenset({"true", "false", "none", "loop", "self", "caller", "varargs", "kwargs", "range"})


@dataclass(frozen=True)
class Sources:
    """A template's two files, as text."""

    mjml: str
    text: str


def check(folder: Path, root: Path, plan: LoopPlan, step: StepPlan, sender: Sender) -> list[TemplateError]:
    """List every fault of what a step sends; nothing for a step that sends no email."""
    email = step.email
    if email is None:
        return []
    errors = [*_personalization(plan, step, email), *_sender(sender, transactional=email.transactional)]
    for one in in_each(email):
        errors += ambiguous(folder, one)
        for tag, name in languages(folder, one).items():
            sources, unread = read(folder, root, name, plan, step)
            errors += [
                *unread,
                *(_template(folder, replace(one, template=name), tag, sender, sources) if sources else ()),
            ]
    return errors


def read(
    folder: Path, root: Path, name: str, plan: LoopPlan | None = None, step: StepPlan | None = None
) -> tuple[Sources | None, list[TemplateError]]:
    """Read both files of a template; where one is missing, say which there are."""
    mjml, text = folder / f"{name}.mjml", folder / f"{name}.txt"
    if re.fullmatch(r"[A-Za-z0-9_-]{1,100}(\.[a-z0-9_]{1,48})?(\.[A-Za-z0-9_-]{1,40})?", name) is None or not (
        os.path.lexists(mjml) or os.path.lexists(text)
    ):
        known = _known(folder)
        place = _place(plan, step, "template") if plan and step else Place(_shown(mjml))
        there = f"{folder.name}/ has: {', '.join(known)}." if known else f"{folder.name}/ has no templates."
        written = cut(name)
        message = f"There is no template '{written}'; a template is {folder.name}/{written}.mjml and {written}.txt."
        return None, [
            TemplateError(message, advice=f"{there}{_nearest(name, known)}", place=place, code=Code.NO_TEMPLATE)
        ]
    texts: list[str] = []
    errors: list[TemplateError] = []
    for file, what in ((mjml, "the email itself"), (text, "the text for mail clients without HTML")):
        if not os.path.lexists(file):
            errors.append(
                TemplateError(
                    "The file is missing.", advice=f"Write {what}.", place=Place(_shown(file)), code=Code.NO_TEMPLATE
                )
            )
            continue
        try:
            texts.append(read_text(file, _shown(file), TemplateError, root=root))
        except TemplateError as bad:
            errors.append(bad)
    return (None, errors) if errors else (Sources(*texts), [])


def language_of(sources: Sources) -> str:
    """Return the language that a template says itself, as a tag; its check found no faults."""
    return compile_mjml(sources.mjml).language


def parts(folder: Path, root: Path, email: Email) -> dict[str, dict[str, list[str]]]:
    """Return the subject, the HTML and the text of an email, by these names, in each of its variants; by language.

    A step whose check finds faults need not be asked.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for one in in_each(email):
        for tag, name in languages(folder, one).items():
            sources, _ = read(folder, root, name)
            of_language = found.setdefault(tag, {"subject": [], "HTML": [], "text": []})
            if sources is not None:
                made = compile_mjml(sources.mjml, tag)
                of_language["subject"].append(made.subject)
                # The title is the subject.
                of_language["HTML"].append(made.html.replace(made.subject, ""))
                of_language["text"].append(sources.text)
    return found


def _known(folder: Path) -> list[str]:
    try:
        return [name.removesuffix(".mjml") for name in names_in(folder) if name.endswith(".mjml")]
    except (OSError, ValueError):
        return []


def _template(folder: Path, email: Email, tag: str, sender: Sender, sources: Sources) -> Iterable[TemplateError]:
    mjml, text = _shown(folder / f"{email.template}.mjml"), _shown(folder / f"{email.template}.txt")
    provided = [*(name for name, _ in email.personalization), *dict(email.about), *_from_sender(sender, email)]
    fields = {name: sorted(type(thing).model_fields) for name, thing in email.about}
    in_mjml = lint(HTML, sources.mjml, provided, fields)
    in_text = lint(TEXT, sources.text, provided, fields)
    if not in_mjml:
        try:
            in_mjml = list(_survives(compile_mjml(sources.mjml, tag)))
        except Faulty as faulty:
            in_mjml = list(faulty.faults)
    if not in_mjml:
        # All that the file says is in what MJML makes of it, or it would have been refused.
        in_mjml = _prints_what_it_must(names_used(HTML, sources.mjml), email)
    if not in_text:
        in_text = _prints_what_it_must(names_used(TEXT, sources.text), email)
    yield from (_error(fault, mjml) for fault in in_mjml)
    yield from (_error(fault, text) for fault in in_text)


@lru_cache(maxsize=128)
def _survives(compiled: Compiled) -> tuple[Fault, ...]:
    """Check what mrml made of a file whose Jinja is correct."""
    if not compiled.subject.strip():
        return (
            Fault(None, "The email has no subject.", "Write it into <mj-title> in <mj-head>.", code=Code.NO_SUBJECT),
        )
    for part, environment, source in (("subject", TEXT, compiled.subject), ("HTML", HTML, compiled.html)):
        if "{%" not in source or (environment is HTML and compiled.in_order):
            # What is printed is whole wherever it stands; only pairs can be torn apart.
            continue
        try:
            environment.parse(source)
        except TemplateSyntaxError as bad:
            advice = "A pair such as {% if %} … {% endif %} must be inside one element."
            return (Fault(None, f"The {part} does not survive MJML: {bad.message}", advice, code=Code.JINJA),)
    if (size := len(compiled.html.encode())) > headers.LARGEST_HTML:
        message = f"The HTML has {size:,} bytes; Gmail cuts emails off at {headers.LARGEST_HTML:,}."
        return (Fault(None, message, "Make it shorter.", code=Code.TOO_LARGE),)
    return ()


def _prints_what_it_must(names: frozenset[str], email: Email) -> list[Fault]:
    if email.transactional:
        return []
    return [
        Fault(None, f"A marketing email must print {{{{ {name} }}}}.", "Put it into the footer.", code=Code.FOOTER)
        for name in RESERVED
        if name not in names
    ]


def _from_sender(sender: Sender, email: Email) -> Sequence[str]:
    """Name what a template gets from the sender; mail that was asked for has nothing to unsubscribe from."""
    if not email.transactional:
        return RESERVED
    return ("postal_address",) if sender.postal_address else ()


def _personalization(plan: LoopPlan, step: StepPlan, email: Email) -> Iterable[TemplateError]:
    provided = ("user", "row", "account") if step.per_account else ("user", "row")
    for name, text in email.personalization:
        place = _place(plan, step, "personalization", name)
        if name in RESERVED:
            yield TemplateError(
                f"{shown(name)} comes from the sender's settings.", advice="Choose another.", place=place
            )
        elif name in _JINJA_WORDS or not name.isidentifier() or keyword.iskeyword(name):
            advice = "Choose another: letters, digits and _."
            yield TemplateError(f"{shown(name)} cannot be a name in a template.", advice=advice, place=place)
        for fault in lint(TEXT, text, provided):
            yield TemplateError(fault.message, advice=fault.advice, place=place, code=fault.code)


def _sender(sender: Sender, *, transactional: bool) -> Iterable[TemplateError]:
    def error(field: str, message: str, advice: str) -> TemplateError:
        return TemplateError(message, advice=advice, place=Place(FILE, part=f"sender.{field}"), code=Code.SENDER)

    if not transactional and not sender.postal_address.strip():
        yield error("postal_address", "A marketing email needs the sender's postal address.", "Add it.")
    if not transactional and not sender.public_url:
        for fault in lint(LINK, sender.unsubscribe_url, ("user",), by="sender"):
            yield error("unsubscribe_url", fault.message, fault.advice)


def _place(plan: LoopPlan, step: StepPlan, *path: str) -> Place:
    prompt = () if isinstance(step.action, Email) else ("upgrade_prompt",)
    return plan.document.place(("steps", plan.steps.index(step), "action", *prompt, *path))


def _error(fault: Fault, file: str) -> TemplateError:
    return TemplateError(fault.message, advice=fault.advice, place=Place(file, fault.line), code=fault.code)


def _shown(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def _nearest(name: str, known: Sequence[str]) -> str:
    near = nearest(name, known)
    return f" Did you mean {near[0]!r}?" if near else ""
