"""The folder of templates: each is read and compiled once, checked as a whole, and rendered per email."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from jinja2 import Template, TemplateSyntaxError, UndefinedError

from skene_dagster import locales
from skene_dagster.delivery.email import headers
from skene_dagster.delivery.email.headers import Unrenderable
from skene_dagster.delivery.email.languages import languages
from skene_dagster.delivery.email.letterhead import Letterhead, page_of
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.mjml.compiled import Faulty, compile_mjml
from skene_dagster.delivery.email.templates import checks
from skene_dagster.delivery.email.templates.columns import Described, LinkRow, Row
from skene_dagster.delivery.email.templates.missing import MissingValue
from skene_dagster.delivery.email.templates.needs import needed
from skene_dagster.delivery.email.templates.sandbox import HTML, LINK, TEXT, compiled
from skene_dagster.delivery.email.templates.values import compile_value
from skene_dagster.delivery.email.utm import Tagging
from skene_dagster.documents import together
from skene_dagster.errors import TemplateError
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan
from skene_dagster.settings import Feature, Milestone, Sender

_NONE: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True)
class _Ready:
    subject: Template
    html: Template
    text: Template


@dataclass(frozen=True)
class Need:
    """What an email cannot be without."""

    name: str
    """By which the template knows it."""
    column: str
    templates: tuple[str, ...] = ()
    """Which need it; empty: all of its languages do."""


class Templates:
    """The templates of a folder, read at first use and kept: open the folder again to see changed files.

    Args:
        root: the project's folder, which no link may leave.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._languages: dict[str, Mapping[str, str]] = {}
        self._ready: dict[str, _Ready] = {}

    def check(self, plan: LoopPlan, step: StepPlan, sender: Sender) -> list[TemplateError]:
        """List every fault of what the step sends: its template, its personalization, its sender."""
        return checks.check(self._folder, self._root, plan, step, sender)

    def needs(self, email: Email) -> Iterator[Need]:
        """List the columns of the users table that an email cannot be without, in any of its languages.

        A step whose check finds faults need not be asked.
        """
        found: dict[tuple[str, str], list[str]] = {}
        names = list(languages(self._folder, email).values())
        for template in names:
            for need in self._needs(replace(email, template=template)):
                found.setdefault(need, []).append(template)
        for (name, column), files in found.items():
            yield Need(name, column, () if len(files) == len(names) else tuple(files))

    def _needs(self, email: Email) -> Iterator[tuple[str, str]]:
        sources, _ = checks.read(self._folder, self._root, email.template)
        if sources is None:
            return
        names = needed(HTML.parse(sources.mjml)) | needed(TEXT.parse(sources.text))
        for name, text in email.personalization:
            if name in names:
                columns = sorted(needed(TEXT.parse(text)))
                yield from ((name, column[5:]) for column in columns if column.startswith("user."))

    def language(self, email: Email, user: Mapping[str, object]) -> tuple[str, str]:
        """Say in which language a user gets an email, as a tag, and by which template; empty: as everybody else."""
        if email.template not in self._languages:
            self._languages[email.template] = languages(self._folder, email)
        there = self._languages[email.template]
        tag = locales.tag_of(user.get(email.locale)) if email.locale and len(there) > 1 else ""
        tag = locales.nearest([tag], there) or ""
        return tag, there[tag]

    def render(  # noqa: PLR0913 - what an email is made of, each by its name
        self,
        email: Email,
        *,
        user: Mapping[str, object],
        row: Mapping[str, object],
        account: Mapping[str, object] = _NONE,
        letterhead: Letterhead,
        send_id: str,
        to: str,
        loop: str,
        step: str,
    ) -> Message:
        """Make the email of one user.

        Args:
            user: the user's columns of the users table; NULL, or an empty text, is as good as absent. They say in
                which language the user gets it.
            row: the user's columns of the condition, or the account's.
            account: the account's columns of the accounts table.
            to: the user's address.

        Raises:
            MissingValue: the template or the unsubscribe address needs a value that the user does not have.
            Unrenderable: the address, or what the user's values make of the template, cannot be sent.
            TemplateError: the template is wrong for everybody.
        """
        sender = letterhead.sender
        tag, template = self.language(email, user)
        ready = self._template(template, tag)
        address = headers.check_address(to)
        context = self._context(email, user, row, account, letterhead)
        subject = _rendered(ready.subject, context, "subject")
        html = headers.body(_rendered(ready.html, context, "HTML"))
        text = headers.body(_rendered(ready.text, context, "text"))
        if email.utm is not None:
            tagging = Tagging(email.utm, _to_say_no(context, sender))
            html, text = tagging.html(html), tagging.text(text)
        if (size := len(html.encode())) > headers.LARGEST_HTML:
            raise Unrenderable(f"the HTML has {size:,} bytes; Gmail cuts emails off at {headers.LARGEST_HTML:,}")
        if (size := len(text.encode())) > headers.LARGEST_TEXT:
            raise Unrenderable(f"the text has {size:,} bytes; at most {headers.LARGEST_TEXT:,} are sent")
        return Message(
            send_id=send_id,
            sender=sender.from_,
            to=address,
            subject=headers.subject(subject),
            html=html,
            text=text,
            reply_to=sender.reply_to or None,
            headers=() if email.transactional else letterhead.headers(str(context["unsubscribe_url"])),
            tags=(("loop", loop), ("step", step), ("send", send_id)),
            language=locales.spelled(tag),
        )

    def _context(
        self,
        email: Email,
        user: Mapping[str, object],
        row: Mapping[str, object],
        account: Mapping[str, object],
        letterhead: Letterhead,
    ) -> dict[str, object]:
        sender = letterhead.sender
        context: dict[str, object] = {name: _described(thing) for name, thing in email.about}
        columns = {"user": Row(user), "row": Row(row), "account": Row(account)}
        for name, text in email.personalization:
            evaluate = compile_value(text)
            try:
                value = evaluate(columns)
            except Exception as bad:  # noqa: BLE001 - as in `_rendered`
                raise _reason(name, bad) from None
            if value is not None:
                context[name] = value
        if sender.postal_address:
            context["postal_address"] = sender.postal_address
        if not email.transactional:
            link = letterhead.link
            if link is None:
                link = _rendered(_link(sender.unsubscribe_url), {"user": LinkRow(user)}, "unsubscribe address")
            context["unsubscribe_url"] = headers.check_header_link(link)
        return context

    def _template(self, name: str, tag: str) -> _Ready:
        if name not in self._ready:
            sources, errors = checks.read(self._folder, self._root, name)
            if sources is None:
                raise together(errors)
            try:
                made = compile_mjml(sources.mjml, tag)
            except (Faulty, TemplateSyntaxError) as bad:
                raise TemplateError(f"The template {name!r} is wrong.", advice="Run skene-dagster validate.") from bad
            self._ready[name] = _Ready(
                compiled(TEXT, made.subject), compiled(HTML, made.html), compiled(TEXT, sources.text)
            )
        return self._ready[name]


def _to_say_no(context: Mapping[str, object], sender: Sender) -> list[str]:
    """List what links begin with that lead to where a recipient says no."""
    pages = [page_of(sender.public_url, "")] if sender.public_url else []
    return [*pages, *(str(context[name]) for name in ("unsubscribe_url",) if name in context)]


def _described(thing: Feature | Milestone) -> Described:
    return Described(thing.model_dump())


@lru_cache(maxsize=16)
def _link(text: str) -> Template:
    return compiled(LINK, text)


def _rendered(template: Template, context: Mapping[str, object], part: str) -> str:
    try:
        return template.render(context)
    except Exception as bad:  # noqa: BLE001 - whatever it is, the next email is another user's
        raise _reason(part, bad) from None


def _reason(part: str, bad: Exception) -> MissingValue | Unrenderable:
    """Say why no email can be made from one user's values."""
    match bad:
        case Unrenderable():
            return bad
        case UndefinedError():
            return MissingValue(str(bad))
        case TypeError():
            return Unrenderable(f"{part}: {bad}")
        case _:
            # The texts of others may contain the user's value.
            return Unrenderable(f"{part}: {type(bad).__name__}")
