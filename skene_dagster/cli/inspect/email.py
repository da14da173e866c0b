"""How an email looks in a terminal, and how it gets into a browser."""

import tempfile
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from skene_dagster import locales
from skene_dagster.cli.screen import Screen, mask
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.email.templates import MissingValue, Templates, Unrenderable
from skene_dagster.delivery.rehearsal import Stage, language, render

MOST_LINES = 40

_NONE: Mapping[str, object] = MappingProxyType({})


def tell(  # noqa: PLR0913 - what an email is made of, and how it is shown
    screen: Screen,
    stage: Stage,
    templates: Templates,
    user_id: object,
    person: Person,
    row: Mapping[str, object],
    *,
    account: Mapping[str, object] = _NONE,
    masked: bool,
    browser: bool,
) -> None:
    """Print the email of one user, or why there is none."""
    try:
        message = render(stage, templates, user_id, person, row, account)
    except MissingValue as missing:
        screen.labelled("error", f"There is no email: it needs a value that the user does not have ({missing}).")
        return
    except Unrenderable as bad:
        screen.labelled("error", f"There is no email: {bad}.")
        return
    to = mask(message.to) if masked else message.to
    if stage.mode.name == "redirect":
        to += f", redirected to {stage.settings.redirect_to}"
    written = {}
    if stage.email.locale is not None:
        tag, template = language(stage, templates, user_id, person, account)
        written = {"Language": f"{locales.spelled(tag) or 'as for everybody else'} ({template}.mjml)"}
    screen.facts(
        {
            "From": message.sender,
            "To": to,
            **({"Reply-To": message.reply_to} if message.reply_to else {}),
            "Subject": message.subject,
            **written,
            **dict(message.headers),
        }
    )
    screen.line()
    lines = message.text.strip().splitlines()
    for line in lines[:MOST_LINES]:
        screen.paragraph(line, indent=2) if line.strip() else screen.line()
    if len(lines) > MOST_LINES:
        screen.line(f"  … {len(lines) - MOST_LINES} more lines")
    screen.line()
    if stage.email.topic is not None and stage.settings.sender.public_url:
        screen.paragraph("The unsubscribe link is an example: each email that is sent gets one of its own.")
    if browser:
        screen.line(_opened(message.html))
    else:
        screen.line(f"This is the plain text; the HTML has {len(message.html.encode()):,} bytes. --open shows it.")


def _opened(html: str) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".html", prefix="skene-", delete=False, encoding="utf-8") as file:
        file.write(html)
    place = Path(file.name)
    opened = webbrowser.open(place.as_uri())
    return f"Opened in the browser: {place}" if opened else f"There is no browser here. The HTML is in {place}"
