"""skene-dagster backtest."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import click
from sqlalchemy import Connection

from skene_dagster.backtest.backtest import backtest as replayed
from skene_dagster.backtest.goal import reach_it
from skene_dagster.backtest.model import Backtest
from skene_dagster.cli.choosing import plan_of, sends, steps_of
from skene_dagster.cli.inspect.runnable import refuse_what_cannot_run
from skene_dagster.cli.measure import backtest_words
from skene_dagster.cli.measure.backtest_words import Measurable
from skene_dagster.cli.measure.ledger_mode import mode_of
from skene_dagster.cli.screen import open_screen
from skene_dagster.cli.why.to_programs import to_json
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.outcomes.foreseen import ASSUMED
from skene_dagster.outcomes.lift.smallest import expected_share, smallest_effect
from skene_dagster.project import load_project
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import database_clock, open_engine
from skene_dagster.store.failures import translated

_A_DAY = timedelta(days=1)
_LONGEST = 366

_DATE = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("loop")
@click.option("--from", "first", metavar="DATE", type=_DATE, required=True, help="The first day (UTC): 2026-09-01.")
@click.option("--to", "last", metavar="DATE", type=_DATE, required=True, help="The last day.")
@click.option("--json", "as_json", is_flag=True, help="Print one object for programs.")
@click.pass_obj
def backtest(root: Path, *, loop: str, first: datetime, last: datetime, as_json: bool) -> None:
    """Replay LOOP as its file is now over past days: whom it would have mailed, and whom not and why.

    The decisions are made by the same code as in a run, but nothing is written and nothing is sent.
    """
    screen = open_screen()
    settings = load(root)
    project = load_project(settings)
    plan = plan_of(project, loop)
    if any(step.per_account for step in steps_of(plan, None, sends)):
        raise click.UsageError(f"{plan.name} is about accounts; only loops about users can be replayed.")
    engine = open_engine(settings.database_url, read_only=True)
    try:
        now = database_clock(engine)()
        until = min(last + _A_DAY - timedelta(microseconds=1), now)
        _refuse_other_days(first, last, now)
        refuse_what_cannot_run(engine, settings, plan, now)
        mode = mode_of(engine, settings)
        with translated(), engine.connect() as connection, screen.doing("Replaying") as say:
            found = replayed(connection, plan, project.loops, settings, mode, first, until, say)
            measurable = _measurable(connection, settings, plan, found, now)
    finally:
        engine.dispose()
    if as_json:
        click.echo(json.dumps(_described(found, measurable), ensure_ascii=False, indent=2))
    else:
        backtest_words.tell(screen, found, plan, measurable)


def _refuse_other_days(first: datetime, last: datetime, now: datetime) -> None:
    if first > now:
        raise click.BadParameter(f"{first:%Y-%m-%d} is still to come: a backtest is of the past.", param_hint="--from")
    if last < first:
        raise click.BadParameter(f"{last:%Y-%m-%d} is before {first:%Y-%m-%d}.", param_hint="--to")
    if (last - first).days >= _LONGEST:
        raise click.BadParameter(f"At most {_LONGEST} days are replayed.", param_hint="--to")


def _measurable(
    connection: Connection, settings: Settings, plan: LoopPlan, found: Backtest, now: datetime
) -> Measurable:
    held_out = len(found.held_out) if found.has_arms else round(plan.holdout * len(found.mailed))
    mailed = len(found.mailed - found.held_out) if found.has_arms else len(found.mailed) - held_out
    by_themselves = reach_it(connection, settings, plan, found.unmailed, now)
    rate = ASSUMED if by_themselves is None else expected_share(by_themselves[0] / by_themselves[1], by_themselves[1])
    return Measurable(mailed, held_out, by_themselves, smallest_effect(rate, mailed, held_out))


def _described(found: Backtest, measurable: Measurable) -> dict[str, object]:
    effect = measurable.smallest_effect
    return {
        "loop": found.loop,
        "mode": found.mode,
        "from": to_json(found.since),
        "to": to_json(found.until),
        "came_in": len(found.came_in),
        "people_mailed": len(found.mailed),
        "mails": sum(one.mails for one in found.steps),
        "held_out": measurable.held_out,
        "no_mail": dict(sorted(found.no_mail.items())),
        "mails_a_person": round(found.mails_a_person, 3),
        "most_a_person": found.most_a_person,
        "mails_a_person_with_all_loops": round(found.mails_with_all, 3),
        "most_a_person_with_all_loops": found.most_with_all,
        "overlaps": to_json(found.overlaps),
        "smallest_effect": effect if effect < 1 else None,
        "reach_the_goal_by_themselves": None if measurable.by_themselves is None else list(measurable.by_themselves),
        "steps": [
            {
                "step": one.step,
                "came_in": len(one.came_in),
                "people_mailed": len(one.mailed),
                "mails": one.mails,
                "held_out": len(one.held_out),
                "stopped_by_the_cap": len(one.capped),
                "how_exact": one.how_exact,
                "not_replayed": one.not_replayed or None,
                "ticks": [
                    {"tick": to_json(tick), "outcomes": dict(sorted(outcomes.items()))}
                    for tick, outcomes in sorted(one.outcomes.items())
                    if outcomes
                ],
            }
            for one in found.steps
        ],
        "notes": list(found.notes),
    }
