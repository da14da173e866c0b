"""What may surprise of the languages of templates: what one of them leaves out, and files that nobody ever gets."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from skene_dagster import locales
from skene_dagster.codes import Code
from skene_dagster.delivery.email.languages import languages, stems
from skene_dagster.delivery.email.templates.checks import Sources, language_of, read
from skene_dagster.delivery.email.templates.lint import names_used
from skene_dagster.delivery.email.templates.sandbox import HTML, TEXT
from skene_dagster.errors import Notice, Place
from skene_dagster.loops.plan import Email, LoopPlan
from skene_dagster.loops.variants import in_each, in_variant
from skene_dagster.settings import FILE, Settings


def between_languages(settings: Settings, plan: LoopPlan) -> Iterator[Notice]:
    """Compare the languages of a loop's emails, whose checks found no faults."""
    emails = (one for step in plan.steps if step.email is not None for one in in_each(step.email))
    # Steps may share a template.
    for one in {one.template: one for one in emails}.values():
        there = {
            name: (tag, sources)
            for tag, name in languages(settings.templates, one).items()
            if (sources := read(settings.templates, settings.root, name)[0]) is not None
        }
        if len(there) > 1:
            yield from _left_out(settings.templates, there)
            yield from _no_language(settings.templates, one, there)


def _left_out(folder: Path, there: Mapping[str, tuple[str, Sources]]) -> Iterator[Notice]:
    mjml = {name: names_used(HTML, sources.mjml) for name, (_, sources) in there.items()}
    text = {name: names_used(TEXT, sources.text) for name, (_, sources) in there.items()}
    for ending, used in (("mjml", mjml), ("txt", text)):
        for name in sorted(frozenset().union(*used.values())):
            has = next(one for one in used if name in used[one])
            for lacks in (one for one in used if name not in used[one]):
                says = f"It never uses {{{{ {name} }}}}, which {has}.{ending} does."
                yield Notice(Place(f"{folder.name}/{lacks}.{ending}"), says, Code.LEFT_OUT)


def _no_language(folder: Path, email: Email, there: Mapping[str, tuple[str, Sources]]) -> Iterator[Notice]:
    if language_of(there[email.template][1]):
        return
    others = ", ".join(locales.spelled(tag) for tag, _ in there.values() if tag)
    says = f'It does not say its own language, beside {others}. Write it into the first tag: <mjml lang="en">.'
    yield Notice(Place(f"{folder.name}/{email.template}.mjml"), says, Code.OWN_LANGUAGE)


def unreached(settings: Settings, plans: Sequence[LoopPlan]) -> Iterator[Notice]:
    """List files beside the templates of all loops that nobody ever gets, whatever their language."""
    emails = [step.email for plan in plans for step in plan.steps if step.email is not None]
    got = {name for email in emails for one in in_each(email) for name in languages(settings.templates, one).values()}
    for stem in stems(settings.templates):
        beside = [email for email in emails if stem.startswith(f"{email.template}.")]
        if beside and stem not in got:
            place = Place(f"{settings.templates.name}/{stem}.mjml")
            yield Notice(place, _why(settings, beside, stem), Code.NOBODYS_FILE)


def _why(settings: Settings, emails: Sequence[Email], stem: str) -> str:
    """Say why nobody gets a file whose name begins with that of the template of some emails."""
    email = emails[0]
    *before, tag = stem.removeprefix(f"{email.template}.").split(".")
    nobody = "Nobody gets this file:"
    if settings.users.locale is None and locales.tag_of(tag):
        return f"{nobody} {FILE} does not say where a user's language is. Add `users.locale`."
    variants = [name for name, _ in email.variants]
    if not before and variants and locales.tag_of(tag):
        files = ", ".join(f"{in_variant(email, name).template}.{tag}.mjml" for name in variants)
        return f"{nobody} the email has variants, each with languages of its own: {files}."
    if len(before) == 1 and tag in variants and locales.tag_of(before[0]):
        return f"{nobody} the variant comes before the language. Call it {email.template}.{tag}.{before[0]}.mjml."
    if locales.tag_of(tag):
        return f"{nobody} there is no variant {'.'.join(before)!r}."
    return f"{nobody} {tag!r} is neither a language tag, like pt-BR, nor a variant of its email."
