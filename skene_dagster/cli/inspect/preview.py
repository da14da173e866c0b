"""skene-dagster preview."""

from datetime import datetime, timezone
from pathlib import Path

import click

from skene_dagster import locales
from skene_dagster.behaviour.rollup.counted import COUNT, Counted, shown_moment
from skene_dagster.checks import unreadable
from skene_dagster.cli.choosing import plan_of, sends, steps_of
from skene_dagster.cli.database import shown_database
from skene_dagster.cli.group import LOOK
from skene_dagster.cli.inspect import email
from skene_dagster.cli.inspect.budgets import budgets_in_words
from skene_dagster.cli.inspect.runnable import refuse_what_cannot_run
from skene_dagster.cli.screen import Screen, open_screen
from skene_dagster.cli.words import decision_in_words
from skene_dagster.delivery import modes
from skene_dagster.delivery.decide.eligibility import Mail
from skene_dagster.delivery.decide.gates.judging import told
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.rehearsal import (
    Case,
    Rehearsal,
    Stage,
    budgets_of,
    held_before,
    known,
    rehearse,
    rehearse_user,
)
from skene_dagster.errors import NotCounted
from skene_dagster.explain.reasons import reason_in_words, would_be_mailed
from skene_dagster.loops.plan import Query
from skene_dagster.outcomes.foreseen import of_accounts, of_people
from skene_dagster.project import load_project
from skene_dagster.segments.conditions import subject
from skene_dagster.settings import FILE, Settings, load
from skene_dagster.store.engine import database_clock, open_engine
from skene_dagster.store.failures import translated
from skene_dagster.store.keys import as_text
from skene_dagster.wording import how_many, percent


def _moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        # Python 3.10 does not read the zone «Z».
        moment = datetime.fromisoformat(value.removesuffix("Z") + ("+00:00" if value.endswith("Z") else ""))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time. Write it like 2026-03-14T09:00 (UTC).") from None
    if not 1970 < moment.year < 2200:
        raise click.BadParameter(f"The year {moment.year} is out of range.")
    return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment


@click.command()
@click.argument("loop")
@click.option("--step", help="Only this step of the loop.")
@click.option("--user", metavar="KEY", help="Show one user, by the users key: the reason, and the exact email.")
@click.option(
    "--sample",
    default=3,
    show_default=True,
    type=click.IntRange(1, 100),
    help="How many of the users who would be mailed to show, with masked addresses.",
)
@click.option(
    "--as-of", metavar="TIME", callback=_moment, help="The tick, such as 2026-03-14T09:00 (UTC). Default: now."
)
@click.option("--locale", metavar="TAG", help="Show the email in a language, such as pt-BR. Default: the user's.")
@click.option("--open", "browser", is_flag=True, help="Show the email in the browser, too.")
@click.pass_obj
def preview(
    root: Path,
    *,
    loop: str,
    step: str | None,
    user: str | None,
    sample: int,
    as_of: datetime | None,
    locale: str | None,
    browser: bool,
) -> None:
    """Show who would get which email of LOOP, and why.

    The decisions are made by the same code as in a run, but nothing is written and nothing is sent.
    """
    screen = open_screen()
    settings = load(root)
    project = load_project(settings)
    plan = plan_of(project, loop)
    steps = steps_of(plan, step, sends)
    if locale is not None:
        _check_locale(locale, settings)
    engine = open_engine(settings.database_url, read_only=True)
    try:
        mode = modes.choose(settings)
        moment = as_of or database_clock(engine)()
        refuse_what_cannot_run(engine, settings, plan, moment)
        stages = [Stage(engine, plan, one, settings, mode, moment, project.loops, locale) for one in steps]
        if user is not None:
            told = [_tell_user(screen, stage, user, browser=browser) for stage in stages]
        else:
            told = [_tell_everybody(screen, stage, sample, browser=browser) for stage in stages]
    finally:
        engine.dispose()
    if not all(told):
        raise click.exceptions.Exit(LOOK)


def _check_locale(locale: str, settings: Settings) -> None:
    if settings.users.locale is None:
        said = f"{FILE} does not say where a user's language is, so all get the same email. Add `users.locale`."
        raise click.BadParameter(said, param_hint="--locale")
    if not locales.tag_of(locale):
        said = f"{locale!r} is not a language tag. Write one like de or pt-BR."
        raise click.BadParameter(said, param_hint="--locale")


def _tell_stage(screen: Screen, stage: Stage) -> bool:
    """Print what the preview is about, on which database; return whether the condition can be answered."""
    name = stage.plan.name if len(stage.plan.steps) == 1 else f"{stage.plan.name}, step {stage.step.name}"
    where = {
        "live": "to the users themselves",
        "redirect": f"to {stage.settings.redirect_to} only",
        "outbox": "into the outbox",
    }[stage.mode.name]
    facts = {
        "As of": shown_moment(stage.as_of),
        "Database": shown_database(stage.settings),
        "Emails": f"{where} ({stage.mode.why}); this preview sends nothing",
    }
    missing, counted = None, None
    try:
        counted = known(stage)
    except NotCounted as error:
        missing = error
    else:
        facts |= {"Counted": _how_far(counted, stage.as_of)} if counted else {}
        facts |= {"Budget": budgets_in_words(planned)} if (planned := budgets_of(stage)) else {}
    screen.line(name, "bold")
    screen.facts(facts)
    screen.line()
    if missing is not None:
        screen.labelled("notice", f"{missing.message} {missing.advice}")
        screen.line()
    elif counted is not None and counted.up_to < stage.as_of:
        screen.labelled("notice", f"To count what came since:\n  {COUNT}")
        screen.line()
    if missing is None:
        _tell_unreadable(screen, stage)
    return missing is None


def _tell_unreadable(screen: Screen, stage: Stage) -> None:
    with translated(), stage.engine.connect() as connection:
        found = unreadable.of_step(connection, stage.step, stage.settings)
        if not isinstance(stage.step.condition, Query):
            found += unreadable.of_usage(connection, stage.settings)
    for one in found:
        screen.labelled("notice", str(one))
    if found:
        screen.line()


def _how_far(counted: Counted, as_of: datetime) -> str:
    up_to = f"what users did until {shown_moment(counted.up_to)}"
    if counted.up_to >= as_of:
        return up_to
    return f"{up_to}. A run first counts what came since, so its numbers may differ."


def _tell_everybody(screen: Screen, stage: Stage, size: int, *, browser: bool) -> bool:
    if not _tell_stage(screen, stage):
        return False
    seen, word = 0, subject(stage.step).word
    with screen.doing("Querying the database") as say:

        def progress(more: int) -> None:
            nonlocal seen
            seen += more
            say(f"{seen:,} {word}s looked at")

        found = rehearse(stage, size, progress)
    if found.held:
        why = told(found.held, stage.plan.name, stage.step.name)
        screen.labelled("notice", f"A run would mail nobody. {why}")
        screen.line()
    _tell_counts(screen, found, word)
    share = 1 - (1 - stage.settings.holdout) * (1 - stage.plan.holdout)
    if share and not stage.audience.has_arms:
        screen.labelled("notice", f"{percent(share)} of them are held out: who, the first run draws.")
        screen.line()
    _tell_what_is_seen(screen, stage, found)
    if not found.sample:
        if word == "user":
            screen.paragraph("To see the email anyway, name a user: --user KEY.")
        return True
    some = f"Some who would be mailed{' then' if found.held else ''}"
    screen.line("All of them" if found.counts["mail"] == len(found.sample) else some, "bold")
    screen.facts({_name(case): decision_in_words(case, found.held) for case in found.sample})
    case = found.sample[0]
    screen.line()
    screen.line(f"The email to user {as_text(case.user_id)}", "bold")
    templates = Templates(stage.settings.templates, stage.settings.root)
    email.tell(
        screen,
        stage,
        templates,
        case.user_id,
        case.person,
        case.row,
        account=case.account,
        masked=True,
        browser=browser,
    )
    return True


def _tell_what_is_seen(screen: Screen, stage: Stage, found: Rehearsal) -> None:
    mailed, held_out = found.counts.get("mail", 0), found.counts.get("held_out", 0)
    if not (stage.plan.goals and stage.plan.holdout and mailed + held_out):
        return
    if not stage.audience.has_arms:
        held_out = round(mailed * stage.plan.holdout)
        mailed -= held_out
    seen = of_accounts if stage.step.per_account else of_people
    screen.labelled("notice", f"If nobody came later: {seen(mailed, held_out)}.")
    screen.line()


def _name(case: Case) -> str:
    user = f"user {as_text(case.user_id)}"
    return user if case.account_id is None else f"account {as_text(case.account_id)}, {user}"


def _tell_counts(screen: Screen, found: Rehearsal, word: str) -> None:
    total = found.entering + found.staying
    screen.line(
        f"{how_many(total, word)}: {found.entering:,} enter at this tick, {found.staying:,} are inside already."
    )
    mailed = would_be_mailed(found.held)
    rows = [(found.counts.get("mail", 0), mailed)]
    for outcome, n in sorted(found.counts.items()):
        state, _, reason = outcome.partition(":")
        if state == "held_out":
            rows.append((n, f"would be held out of {'all loops' if reason else 'it'}, to be compared with"))
        elif reason:
            when = "not now" if state == "deferred" else "never for this entry"
            rows.append((n, f"{when}: {reason_in_words(outcome)}"))
    rows.append((found.counts.get("decided_before", 0), "decided before, and have not entered again since"))
    rows.append((found.unknown_keys, f"more rows are left out: their key is NULL, or belongs to no {word}"))
    for n, words in rows:
        if n or words == mailed:
            screen.counted(n, words)
    screen.line()


def _tell_user(screen: Screen, stage: Stage, key: str, *, browser: bool) -> bool:
    if stage.step.per_account:
        raise click.BadParameter(
            f"{stage.plan.name} is about accounts, not about users. Leave it out.", param_hint="--user"
        )
    person, case = rehearse_user(stage, key)
    users = stage.settings.users
    if person is None:
        raise click.BadParameter(f"No user has {users.table}.{users.key} = {key}.", param_hint="--user")
    is_known = _tell_stage(screen, stage)
    if held := held_before(stage):
        why = told(held, stage.plan.name, stage.step.name)
        screen.labelled("notice", f"Nobody is mailed for now. {why}")
        screen.line()
    if isinstance(case, Case):
        screen.paragraph(f"User {key} {decision_in_words(case, held)}.")
    elif is_known:
        screen.line(f"User {key} is not selected by the condition, and gets nothing.")
    screen.line()
    would_be_mailed = isinstance(case, Case) and isinstance(case.decision, Mail)
    screen.line("The email" if would_be_mailed else "The email, if they were mailed", "bold")
    row = case.row if isinstance(case, Case) else {}
    templates = Templates(stage.settings.templates, stage.settings.root)
    email.tell(screen, stage, templates, person.columns[users.key], person, row, masked=False, browser=browser)
    return is_known
