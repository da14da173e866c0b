"""How large an effect has to be to be seen, as `validate` and `preview` say it before anything is measured."""

from datetime import datetime

import pytest
from test_planning import LOOP, plan, settings

from skene_dagster.cli.validate.notices import notices
from skene_dagster.outcomes.foreseen import of_accounts, of_people, of_share

NOON = datetime(2026, 3, 2, 12)


def test_ten_percent_of_ten_thousand_show_two_points() -> None:
    assert of_share(0.1) == (
        "Of 10,000 people, 1,000 are held out: a difference of less than 2 points cannot be seen, if 5 of 100 reach "
        "the goal anyway."
    )


def test_of_few_hardly_anything_can_be_seen_and_of_nobody_nothing() -> None:
    assert of_people(900, 100) == (
        "with so few held out, less than 6.4 points cannot be seen, if 5 of 100 reach the goal anyway"
    )
    assert of_people(9, 0) == "with so few held out, no difference can be seen"


def test_people_of_an_account_count_as_one_for_they_may_all_act_alike() -> None:
    assert of_share(0.1, per_account=True) == (
        "Of 10,000 accounts, 1,000 are held out: a difference of less than 2 points cannot be seen, if 5 of 100 people "
        "reach the goal anyway, and the people of each account act alike."
    )
    assert of_accounts(900, 100).endswith("if 5 of 100 reach the goal anyway and the people of each account act alike")
    assert of_accounts(900, 99) == "no difference could be seen, for each group needs 100 accounts"


@pytest.mark.parametrize(
    ("written", "place", "said"),
    [
        ("", "", ""),
        ("goal: {returns_within: 14d}\n", "loops/x.yaml:12  goal", "Nobody is held out"),
        ("holdout: 10%\n", "loops/x.yaml:12  holdout", "The loop has no goal"),
        ("holdout: 10%\ngoal: {returns_within: 14d}\n", "loops/x.yaml:12  holdout", "Of 10,000 people, 1,000"),
    ],
)
def test_validate_says_whether_anything_will_be_known(written: str, place: str, said: str) -> None:
    loop = plan(LOOP + written)
    found = [
        (str(one.place), one.says)
        for one in notices(loop, settings(), None, NOON)
        if "held out" in one.says or "goal" in one.says
    ]

    assert [where for where, _ in found] == ([place] if place else [])
    assert all(text.startswith(said) for _, text in found)
