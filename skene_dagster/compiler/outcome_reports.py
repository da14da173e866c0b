"""What Dagster is told of what came of a loop: numbers that it plots, and the checks `measured` and `no_harm`."""

from collections.abc import Sequence
from math import isfinite

import dagster as dg

from skene_dagster.compiler import descriptions
from skene_dagster.compiler.metadata import Metadata, table
from skene_dagster.loops.all_loops import AllLoops, Compared
from skene_dagster.loops.planning.accounts import is_per_account
from skene_dagster.loops.variants import read
from skene_dagster.outcomes import words
from skene_dagster.outcomes.comparisons import ArmSize, LoopOutcome
from skene_dagster.outcomes.goal_words import did
from skene_dagster.outcomes.lift.sample_ratio import SampleRatio
from skene_dagster.settings import FILE
from skene_dagster.wording import how_many

MEASURED = "measured"
NO_HARM = "no_harm"


def check_specs(key: dg.AssetKey, plan: Compared) -> list[dg.AssetCheckSpec]:
    """Declare the checks of outcomes. They stop no run."""
    whose = FILE if isinstance(plan, AllLoops) else "The loop"
    return [
        dg.AssetCheckSpec(
            MEASURED,
            asset=key,
            description=f"{whose} has a goal and a holdout, and both groups are as large as they should be.",
        ),
        dg.AssetCheckSpec(
            NO_HARM,
            asset=key,
            description="Emails keep nobody from the first goal: the interval of 99.8 % does not lie below 0.",
        ),
    ]


def metadata(found: Sequence[LoopOutcome]) -> Metadata:
    """Report the first goal's numbers, so that Dagster plots them from day to day, and all goals as a table.

    What is plotted is of everybody whose time is over by now; the verdict, and what stands in the tables, is that of
    the last month's end.
    """
    if not found:
        return {}
    first = found[0]
    told: Metadata = {
        "goal": dg.MetadataValue.text(did(first.goal)),
        "verdict": dg.MetadataValue.text(words.verdict(first.lift, a_week=first.a_week)),
        "verdict_as_of": dg.MetadataValue.text(f"{first.settled_at:%Y-%m-%d}"),
        "mailed": dg.MetadataValue.int(first.mailed.people),
        "held_out": dg.MetadataValue.int(first.held_out.people),
        "mailed_closed": dg.MetadataValue.int(first.mailed.closed),
        "held_out_closed": dg.MetadataValue.int(first.held_out.closed),
        "mailed_reached": dg.MetadataValue.int(first.mailed.reached),
        "held_out_reached": dg.MetadataValue.int(first.held_out.reached),
    }
    told |= {
        name: dg.MetadataValue.int(arm.accounts)
        for name, arm in (("mailed_accounts", first.mailed), ("held_out_accounts", first.held_out))
        if arm.accounts is not None
    }
    numbers = {"a_week": first.a_week, "smallest_points": 100 * first.today.smallest}
    if (found_ := first.today.difference) is not None:
        numbers |= {
            "lift_points": 100 * found_.estimate,
            "lift_points_low": 100 * found_.low,
            "lift_points_high": 100 * found_.high,
            "mailed_percent": 100 * found_.treated,
            "held_out_percent": 100 * found_.control,
        }
    for share, ratio in first.ratios.items():
        numbers[f"sample_ratio_p_{100 * share:g}_percent"] = ratio.p
    for weights, ratio in first.variant_ratios.items():
        numbers[f"sample_ratio_p ({weights})"] = ratio.p
    if first.worth is not None:
        numbers |= {"value_mailed": first.worth.mailed, "value_held_out": first.worth.held_out}
    told |= {name: dg.MetadataValue.float(round(value, 4)) for name, value in numbers.items() if isfinite(value)}
    told["goals"] = table(
        ["goal", "difference", "verdict", "provisional"], ["mailed", "held_out", "open"], [_row(one) for one in found]
    )
    if first.by_level:
        told["by_level_a_hint"] = table(
            ["level", "difference"], ["mailed", "held_out"], [_of_level(first, level) for level in first.by_level]
        )
    return told


def measured(key: dg.AssetKey, plan: Compared, found: Sequence[LoopOutcome]) -> dg.AssetCheckResult:
    """Say whether it is measured."""
    alarms = {share: ratio for one in found for share, ratio in one.ratios.items() if ratio.alarm}
    of_variants = {weights: ratio for one in found for weights, ratio in one.variant_ratios.items() if ratio.alarm}
    severity, said = dg.AssetCheckSeverity.WARN, ""
    if alarms or of_variants:
        severity = dg.AssetCheckSeverity.ERROR
        who = "accounts" if is_per_account(plan) else "people"
        unequal = [_unequal(share, ratio, who) for share, ratio in alarms.items()]
        unequal += [_unequal_variants(weights, ratio, who) for weights, ratio in of_variants.items()]
        said = " ".join(unequal)
        said += f" Something puts {who} into the wrong group: do not read the numbers."
    elif not plan.goals or not plan.holdout:
        said = _not_measured(plan)
    told = said or f"{_of_arm(found[0].mailed)} are mailed and {_of_arm(found[0].held_out)} held out."
    return dg.AssetCheckResult(passed=not said, asset_key=key, check_name=MEASURED, severity=severity, description=told)


def _not_measured(plan: Compared) -> str:
    of_all = isinstance(plan, AllLoops)
    nobody_knows = f"so nobody knows whether {'the loops work together' if of_all else 'it works'}"
    if not plan.goals:
        goal = "`goal: {returns_within: 28d}`" if of_all else "`goal: {returns_within: 14d}`"
        return f"{f'{FILE} names' if of_all else 'The loop has'} no goal, {nobody_knows}: write one, such as {goal}."
    out_of, share = (" of all loops", "2%") if of_all else ("", "10%")
    return f"Nobody is held out{out_of}, {nobody_knows}: write `holdout: {share}`."


def _of_arm(arm: ArmSize) -> str:
    return f"{arm.people:,}" if arm.accounts is None else f"{arm.people:,} of {how_many(arm.accounts, 'account')}"


def _unequal(share: float, ratio: SampleRatio, who: str) -> str:
    held_out, drawn = ratio.counts[1], sum(ratio.counts)
    return (
        f"Of {drawn:,} {who}, {held_out:,} are held out, not {100 * share:g} %: chance alone does that {_rare(ratio)}."
    )


def _unequal_variants(weights: str, ratio: SampleRatio, who: str) -> str:
    shares = read(weights)
    found = ", ".join(f"{number:,} get {name}" for (name, _), number in zip(shares, ratio.counts, strict=True))
    wanted = " and ".join(f"{100 * share:.3g} %" for _, share in shares)
    return f"Of {sum(ratio.counts):,} {who}, {found}, not {wanted}: chance alone does that {_rare(ratio)}."


def _rare(ratio: SampleRatio) -> str:
    return f"one of {1 / ratio.p:,.0f} times" if ratio.p else "hardly ever"


def no_harm(key: dg.AssetKey, found: Sequence[LoopOutcome]) -> dg.AssetCheckResult:
    """Say whether emails do harm, as far as the first goal tells."""
    is_harm = bool(found) and found[0].harm == "harm"
    said = words.harm(found[0].harm) if found else "There is no goal."
    return dg.AssetCheckResult(
        passed=not is_harm,
        asset_key=key,
        check_name=NO_HARM,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{said[:1].upper()}{said[1:].rstrip('.')}.",
    )


def description(plan: Compared) -> str:
    """Describe the asset."""
    if isinstance(plan, AllLoops):
        return _of_all(plan)
    table = descriptions.as_table(plan)
    if not plan.goals:
        return f"What comes of the loop. It has no `goal`, so nothing is measured.\n\n{table}"
    who = "of the accounts " if is_per_account(plan) else ""
    held_out = f"{100 * plan.holdout:g} % {who}are held out." if plan.holdout else "Nobody is held out."
    return (
        f"**Did it work:** how many of those who are mailed reach a goal, and how many of those who are held out.\n\n"
        f"{_goals(plan)}\n\nThe first decides. {held_out} Kept in `skene_arms` and `skene_outcomes`.\n\n{table}"
    )


def _of_all(plan: AllLoops) -> str:
    if not plan.goals:
        return f"What comes of all loops together. {FILE} has no `goal`, so nothing is measured."
    held_out = f"{100 * plan.holdout:g} % of all users get nothing of any." if plan.holdout else "Nobody is held out."
    return (
        f"**Did they work, all loops together:** how many of those who are mailed by any loop reach a goal, and how "
        f"many of those who get nothing of any.\n\n{_goals(plan)}\n\nThe first decides. {held_out} Kept in "
        "`skene_arms` and `skene_outcomes`, as the loop `*`."
    )


def _goals(plan: Compared) -> str:
    return "\n".join(f"- who {did(goal)}" for goal in plan.goals)


def _row(one: LoopOutcome) -> dict[str, str | int]:
    difference = one.lift.difference
    return {
        "goal": did(one.goal),
        "difference": "" if difference is None else words.interval_in_points(difference),
        "verdict": words.verdict(one.lift, a_week=one.a_week),
        "provisional": words.provisional(one.today),
        "mailed": one.mailed.settled,
        "held_out": one.held_out.settled,
        "open": one.mailed.open + one.held_out.open,
    }


def _of_level(one: LoopOutcome, level: str) -> dict[str, str | int]:
    lift = one.by_level[level]
    shown = "too few to tell" if lift.difference is None else words.interval_in_points(lift.difference)
    return {"level": level, "difference": shown, "mailed": lift.treated, "held_out": lift.control}
