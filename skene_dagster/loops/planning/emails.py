"""Planning of an email: its template's name, its columns, and what the law asks of a marketing email."""

import re

from skene_dagster.documents import Path_, one_of, shown
from skene_dagster.errors import LoopInvalid, Place
from skene_dagster.loops import model
from skene_dagster.loops.plan import Email
from skene_dagster.loops.planning.expressions import columns_of
from skene_dagster.loops.planning.faults import Faults
from skene_dagster.settings import FILE, Feature, Milestone, Sender, Settings, Users

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def plan_email(
    email: model.EmailAction,
    path: Path_,
    columns: tuple[str, ...] | None,
    about: tuple[tuple[str, Feature | Milestone], ...],
    *,
    by_row: bool,
    settings: Settings,
    faults: Faults,
) -> Email:
    """Resolve an email.

    Args:
        columns: those of the condition's result; None where they are not known.
        about: what the template can show of skene.yaml.
        by_row: single rows trigger the step.
    """
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", email.template) is None:
        advice = "Write letters, digits, - and _, without folder and extension: re_engagement."
        faults.refuse((*path, "template"), f"{shown(email.template)} cannot be the name of a template.", advice)
    _check_sender(email, path, settings, faults)
    _check_set(email, path, settings.users, faults)
    user: set[str] = set()
    row: set[str] = set()
    taken = ["user", "row", *(name for name, _ in about)]
    for name, text in email.personalization.items():
        inner = (*path, "personalization", name)
        if _NAME.fullmatch(name) is None or name in taken:
            advice = f"Write letters, digits and _, and neither {' nor '.join(taken)}."
            faults.refuse(inner, f"{shown(name)} cannot be a name in a template.", advice)
        try:
            read = columns_of(text, faults.document.place(inner))
        except LoopInvalid as bad:
            faults.note(bad)
            continue
        user |= read.user
        row |= read.row
        for column in sorted(read.row - set(columns if columns is not None else read.row)):
            advice = one_of(column, columns) if columns else ""
            faults.refuse(inner, f"The condition has no column {shown(column)}.", advice)
    return Email(
        provider=email.provider or settings.sender.provider,
        template=email.template,
        personalization=tuple(email.personalization.items()),
        user_columns=tuple(sorted(user | _unsubscribe_columns(email, settings.sender, faults))),
        row_columns=tuple(sorted(row)),
        repeat="every_entry" if by_row and "repeat" not in email.model_fields_set else email.repeat,
        set=tuple(email.set.items()),
        transactional=email.transactional,
        about=about,
    )


def _check_sender(email: model.EmailAction, path: Path_, settings: Settings, faults: Faults) -> None:
    sender = settings.sender
    needed = {"from": sender.from_}
    if not email.transactional:
        needed |= {"postal_address": sender.postal_address, "unsubscribe_url": sender.unsubscribe_url}
    missing = [name for name, value in needed.items() if not value.strip()]
    if missing:
        lines = ", ".join(f"`{name}: …`" for name in missing)
        kind = "An email" if email.transactional else "A marketing email"
        faults.refuse(
            path,
            f"{kind} needs {' and '.join(f'sender.{name}' for name in missing)}, which {FILE} does not have.",
            f"Add to {FILE}, under `sender:`, {lines}"
            + (
                "."
                if email.transactional
                else "; or, if the recipient asked for this mail, `transactional: true` here."
            ),
        )
    elif not email.transactional and settings.environment == "production" and not _is_https(sender.unsubscribe_url):
        # RFC 8058: mail providers offer one-click unsubscription over https only.
        advice = f"Write an https:// address in {FILE}."
        faults.refuse(
            path, f"In production, sender.unsubscribe_url must be https, not {shown(sender.unsubscribe_url)}.", advice
        )


def _is_https(url: str) -> bool:
    return url.lower().startswith("https://")


def _check_set(email: model.EmailAction, path: Path_, users: Users, faults: Faults) -> None:
    # MySQL, 2026-11: column names are compared without regard to case.
    kept = {users.key.lower(): "the users' key", users.email.lower(): "the users' address"}
    seen: set[str] = set()
    for column in email.set:
        inner = (*path, "set", column)
        if _NAME.fullmatch(column) is None:
            faults.refuse(
                inner, f"{shown(column)} is not the name of a column.", "Write the name of a column of the users table."
            )
        if column.lower() in kept:
            faults.refuse(inner, f"{shown(column)} is {kept[column.lower()]}, which is never written.", "Leave it out.")
        if column.lower() in seen:
            faults.refuse(inner, f"{shown(column)} is set twice.", "Keep one.")
        seen.add(column.lower())


def _unsubscribe_columns(email: model.EmailAction, sender: Sender, faults: Faults) -> frozenset[str]:
    if email.transactional:
        return frozenset()
    place = Place(FILE, None, "sender.unsubscribe_url")
    try:
        read = columns_of(sender.unsubscribe_url, place)
    except LoopInvalid as bad:
        faults.note(bad)
        return frozenset()
    if read.row:
        advice = "Write {{user.x}}: it is one address for all loops."
        faults.note(LoopInvalid("The unsubscribe address cannot read the query's rows.", advice=advice, place=place))
    elif sender.unsubscribe_url.strip() and not read.user:
        # RFC 8058: one click, without a question; so the address itself has to say who it is.
        advice = "Put a column of the users table into it: https://…?u={{user.id}}."
        faults.note(LoopInvalid("The unsubscribe address is the same for everyone.", advice=advice, place=place))
    return read.user
