"""Planning of an email: its template's name, and its columns."""

import re
from datetime import date, datetime, timedelta

from skene_dagster.documents import Path_, one_of, shown
from skene_dagster.errors import LoopInvalid
from skene_dagster.loops import model
from skene_dagster.loops.names import fault_of_name
from skene_dagster.loops.plan import Email, LinkTags
from skene_dagster.loops.planning.expressions import columns_of
from skene_dagster.loops.planning.faults import Faults
from skene_dagster.loops.planning.marketing import check_sender, columns_of_the_link
from skene_dagster.loops.times.hours import ANY_HOUR, ON_TIME, Hours
from skene_dagster.settings import FILE, Accounts, Feature, Keyed, Milestone, Settings
from skene_dagster.settings.utm import LoopUtm

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def plan_email(  # noqa: PLR0913 - what it needs, each by its name
    email: model.EmailAction,
    path: Path_,
    columns: tuple[str, ...] | None,
    about: tuple[tuple[str, Feature | Milestone], ...],
    *,
    by_row: bool,
    per_account: bool,
    topic: str,
    utm: LinkTags | None,
    settings: Settings,
    faults: Faults,
) -> Email:
    """Resolve an email.

    Args:
        columns: those of the condition's result; None where they are not known.
        about: what the template can show of skene.yaml.
        by_row: single rows trigger the step.
        per_account: it is about an account.
        topic: of the loop's marketing emails.
        utm: what its links say.
    """
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", email.template) is None:
        advice = "Write letters, digits, - and _, without folder and extension: re_engagement."
        faults.refuse((*path, "template"), f"{shown(email.template)} cannot be the name of a template.", advice)
    _check_variants(email, path, faults)
    check_sender(email, topic, path, settings, faults)
    mapped = settings.accounts if per_account and settings.accounts is not None else settings.users
    _check_set(email, path, mapped, faults)
    user: set[str] = set()
    row: set[str] = set()
    account: set[str] = set()
    taken = ["user", "row", *(["account"] if per_account else []), *(name for name, _ in about)]
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
        account |= read.account
        if read.account and not per_account:
            advice = "Write {{user.x}}, or make the loop `per: account`."
            faults.refuse(inner, "The loop is about users, and its emails about no account.", advice)
        for column in sorted(read.row - set(columns if columns is not None else read.row)):
            advice = one_of(column, columns) if columns else ""
            faults.refuse(inner, f"The condition has no column {shown(column)}.", advice)
    hours = _hours(email, path, settings, faults)
    locale = {settings.users.locale} if settings.users.locale else set()
    zone = {settings.users.timezone} if settings.users.timezone and hours != ANY_HOUR else set()
    return Email(
        provider=email.provider or settings.sender.provider,
        template=email.template,
        personalization=tuple(email.personalization.items()),
        user_columns=tuple(sorted(user | zone | locale | columns_of_the_link(email, settings, faults))),
        row_columns=tuple(sorted(row)),
        repeat="every_entry" if by_row and "repeat" not in email.model_fields_set else email.repeat,
        set=tuple(email.set.items()),
        topic=None if email.transactional else topic,
        hours=hours,
        account_columns=tuple(sorted(account)),
        variants=tuple((name, part / sum(email.variants.values())) for name, part in email.variants.items()),
        about=about,
        sender=email.sender if email.sender in settings.senders else None,
        utm=utm,
        locale=settings.users.locale,
    )


def link_tags(said: LoopUtm | None, loop: str, settings: Settings, faults: Faults) -> LinkTags | None:
    """Resolve what the links in a loop's emails say; None: nothing."""
    if settings.utm is None:
        if said is not None:
            advice = f"Add to {FILE}: `utm: {{hosts: [example.com]}}`."
            faults.refuse(("utm",), f"{FILE} does not say which hosts are the product's own.", advice)
        return None
    of_all = settings.utm.model_dump(exclude={"hosts"})
    values = {name: getattr(said, name, None) or value for name, value in of_all.items()}
    values["campaign"] = values["campaign"] or loop
    content = values.pop("content")
    parameters = tuple((f"utm_{name}", value) for name, value in values.items() if value)
    return LinkTags(tuple(settings.utm.hosts), parameters, content)


def _check_variants(email: model.EmailAction, path: Path_, faults: Faults) -> None:
    if len(email.variants) == 1:
        advice = "Add another one to compare it with, or leave `variants` out."
        faults.refuse((*path, "variants"), "There is one variant, which everybody would get.", advice)
    if email.variants and email.transactional:
        advice = "Leave `variants` out, or `transactional`."
        faults.refuse((*path, "variants"), "Emails that their recipients asked for are not compared.", advice)
    for name in email.variants:
        if fault := fault_of_name(name):
            faults.refuse((*path, "variants", name), f"{shown(name)} cannot be the name of a variant.", fault)


def _hours(email: model.EmailAction, path: Path_, settings: Settings, faults: Faults) -> Hours:
    quiet = None if email.transactional else settings.limits.quiet_hours
    if quiet is not None and email.send_at is not None:
        advice = f"Write a time outside them, or change `limits.quiet_hours` in {FILE}."
        said, hours = f"{email.send_at:%H:%M}", f"{quiet.from_:%H:%M} to {quiet.to:%H:%M}"
        if quiet.holds(email.send_at):
            faults.refuse((*path, "send_at"), f"{said} is in the quiet hours of {FILE}, {hours}.", advice)
        elif quiet.holds((datetime.combine(date.min, email.send_at) + ON_TIME - timedelta(minutes=1)).time()):
            # Whoever is reached by them each time, for a run begins when it can, would never be mailed.
            minutes = ON_TIME // timedelta(minutes=1)
            problem = f"{said} leaves less than {minutes} minutes until the quiet hours of {FILE}, {hours}."
            faults.refuse((*path, "send_at"), problem, f"{advice[:-1]}: an email may be some minutes late.")
    return Hours(quiet, email.send_at)


def _check_set(email: model.EmailAction, path: Path_, mapped: Keyed, faults: Faults) -> None:
    whose = "accounts" if isinstance(mapped, Accounts) else "users"
    name, what = (mapped.owner, "owner") if isinstance(mapped, Accounts) else (mapped.email, "address")
    # MySQL, 2026-11: column names are compared without regard to case.
    kept = {name.strip().lower(): f"the {whose}' {what}", mapped.key.lower(): f"the {whose}' key"}
    seen: set[str] = set()
    for column in email.set:
        inner = (*path, "set", column)
        if _NAME.fullmatch(column) is None:
            faults.refuse(
                inner,
                f"{shown(column)} is not the name of a column.",
                f"Write the name of a column of the {whose} table.",
            )
        if column.lower() in kept:
            faults.refuse(inner, f"{shown(column)} is {kept[column.lower()]}, which is never written.", "Leave it out.")
        if column.lower() in seen:
            faults.refuse(inner, f"{shown(column)} is set twice.", "Keep one.")
        seen.add(column.lower())
