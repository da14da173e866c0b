"""What a comparison came to, in words that a marketer reads: report, `status`, `preview` and checks all ask here."""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import floor, inf, log10
from typing import Final

from skene_dagster.outcomes.lift.arms import FEWEST_ACCOUNTS, FEWEST_PEOPLE
from skene_dagster.outcomes.lift.differences import Difference
from skene_dagster.outcomes.lift.families import VariantLift
from skene_dagster.outcomes.lift.values import FEWEST_VALUES
from skene_dagster.outcomes.lift.verdicts import FEWEST_FOR_HARM, Harm, Lift
from skene_dagster.wording import how_many

NOT_COMPARABLE: Final = "the two groups are not as large as they should be: do not read the number"

_A_YEAR = 52


def verdict(lift: Lift, *, a_week: float) -> str:
    """Say whether it works: `works`, `does harm`, `cannot tell yet: about 5 more weeks`.

    Args:
        lift: The comparison.
        a_week: As in `Lift.weeks_more`.
    """
    match lift.verdict:
        case "not comparable":
            return NOT_COMPARABLE
        case "works" | "does harm":
            return lift.verdict
        case "cannot tell":
            return _cannot_tell(lift, a_week)


def month_of(settled_at: datetime) -> str:
    """Say of which month a verdict is: `as of the end of October 2026`.

    Args:
        settled_at: The end of that month.
    """
    return f"as of the end of {settled_at - timedelta(days=1):%B %Y}"


def provisional(today: Lift) -> str:
    """Say what the numbers are by now, which are no verdict; empty while there is too little to compare."""
    if not today.comparable or today.difference is None:
        return ""
    of = f"of {today.treated:,} mailed and {today.control:,} held out"
    return f"by now, provisional: {interval_in_points(today.difference)}, {of}"


def verdict_on_variant(found: VariantLift, *, a_week: float) -> str:
    """Say how a variant does: as `verdict`, or against the first one `better than a`, `worse than a`."""
    if found.against is None or found.lift.verdict in {"cannot tell", "not comparable"}:
        return verdict(found.lift, a_week=a_week)
    return f"{'better' if found.lift.verdict == 'works' else 'worse'} than {found.against}"


def _cannot_tell(lift: Lift, a_week: float) -> str:
    weeks = lift.weeks_more(a_week)
    how_long = f"about {how_many(int(weeks), 'more week')}" if weeks <= _A_YEAR else "not within a year at this rate"
    match lift.lacking:
        case None:
            return f"cannot tell yet: {how_long}"
        case "people":
            needs = f"{FEWEST_PEOPLE} people who have had their full time"
        case "accounts":
            needs = f"{FEWEST_ACCOUNTS} accounts"
        case "values":
            needs = f"{FEWEST_VALUES} people with a value"
    # Of a group in which nobody is yet, no rate is known.
    return f"cannot tell yet: each group needs {needs}" + (f", {how_long}" if lift.factor < inf else "")


def harm(found: Harm) -> str:
    """Say what the check `no_harm` found."""
    match found:
        case "none seen":
            return "no harm seen"
        case "harm":
            return "does harm: fewer of the mailed than of those held out reach the goal"
        case "too few":
            return f"too few to tell: each group needs {FEWEST_FOR_HARM} people who have had their full time"
        case "not comparable":
            return NOT_COMPARABLE


def more_people(lift: Lift, did: str) -> str:
    """Say how many more did it: `about 120 more people came back (60 to 190)`.

    Args:
        lift: Of shares.
        did: What they did, in the past tense: `came back`.
    """
    more = lift.more
    if more is None:
        return ""
    number = _about(abs(more.estimate))
    if number == 0:
        return f"about as many people {did} as would have anyway ({_limits(more, _people, 'fewer')})"
    word = "more" if more.estimate > 0 else "fewer"
    who = f"{number:,} {word} {'person' if number == 1 else 'people'}"
    return f"about {who} {did} ({_limits(more, _people, 'fewer')})"


def more_value(lift: Lift, *, unit: str, cap: float) -> str:
    """Say how much more they are worth: `worth about 12,000 € more (3,000 € to 21,000 €), values capped at 240 €`.

    Args:
        lift: Of values.
        unit: Of the goal's values, written behind them; may be empty.
        cap: At which they are capped.
    """
    if lift.more is None:
        return ""

    def amount(value: float) -> str:
        return f"{_two_digits(value)} {unit}".strip()

    word = "less" if lift.more.estimate < 0 else "more"
    return (
        f"worth about {amount(abs(lift.more.estimate))} {word} ({_limits(lift.more, amount, 'less')}), "
        f"values capped at {cap:,g} {unit}".strip()
    )


def of_a_hundred(share: float) -> str:
    """Say how many of a hundred people: `12.4`."""
    return f"{100 * share:.1f}"


def points(difference: float) -> str:
    """Say a difference of shares: `2.4 points`, `0.64 points`."""
    number = _two_digits(100 * abs(difference))
    return f"{'-' if difference < 0 and number != '0' else ''}{number} {'point' if number == '1' else 'points'}"


def interval_in_points(found: Difference) -> str:
    """Say a difference of shares with its interval: `+2.8 points (+1.1 to +4.5)`."""
    decimals = 1 if found.high - found.low > 0.005 else 2
    estimate, low, high = (_signed(100 * number, decimals) for number in (found.estimate, found.low, found.high))
    return f"{estimate} points ({low} to {high})"


def smallest(effect: float) -> str:
    """Say which differences cannot be seen: `with so few held out, less than 2.4 points cannot be seen`."""
    if effect >= 1:
        return "with so few held out, no difference can be seen"
    return f"with so few held out, less than {points(effect)} cannot be seen"


def measurable(held_out: int, effect: float) -> str:
    """Say whether a plan can be measured: `yes: 1,208 held out show a difference of 2.4 points or more`."""
    if effect >= 1:
        return f"no: with {held_out:,} held out, no difference can be seen"
    return f"yes: {held_out:,} held out show a difference of {points(effect)} or more"


def _limits(found: Difference, amount: Callable[[float], str], fewer: str) -> str:
    if found.low >= 0:
        return f"{amount(found.low)} to {amount(found.high)}"
    if found.high <= 0:
        return f"{amount(-found.high)} to {amount(-found.low)}"
    return f"{amount(-found.low)} {fewer} to {amount(found.high)} more"


def _people(number: float) -> str:
    return f"{_about(number):,}"


def _about(number: float) -> int:
    """Round to whole people and two digits: nobody is to believe more of them."""
    return round(number) if number < 10 else int(round(number, 1 - floor(log10(number))))


def _two_digits(number: float) -> str:
    if number < 0.005:
        return "0"
    rounded = round(number, 1 - floor(log10(number)))
    text = f"{rounded:,.{max(0, 1 - floor(log10(rounded)))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _signed(number: float, decimals: int) -> str:
    text = f"{number:+.{decimals}f}"
    return text.lstrip("+-") if not text.strip("+-0.") else text
