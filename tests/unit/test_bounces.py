"""Which bounces say that an address is dead, which are about us, and when several soft ones are enough."""

from datetime import datetime, timedelta

import pytest

from skene_dagster.delivery.ledger import Outcome
from skene_dagster.feedback.bounces import Ailing, ailing, judge

DAY = timedelta(days=1)
START = datetime(2026, 3, 2)


@pytest.mark.parametrize(
    ("type_", "sub_type", "codes", "judged"),
    [
        pytest.param("Permanent", "General", "5.1.1", "hard", id="no such user"),
        pytest.param("Permanent", "NoEmail", "", "hard", id="no mail server"),
        pytest.param("Permanent", "General", "5.1.1 5.4.4", "hard", id="several codes about the address"),
        pytest.param("Permanent", "General", "5.7.1", "blocked", id="our policy"),
        pytest.param("Permanent", "General", "5.7.515", "blocked", id="our domain's DNS"),
        pytest.param("Permanent", "General", "5.1.1 5.7.26", "blocked", id="one code of several about us"),
        pytest.param("Permanent", "General", "5.3.4", "blocked", id="a message too large for the system"),
        pytest.param("Permanent", "General", "5.2.3", "blocked", id="a message too large for the mailbox"),
        pytest.param("Permanent", "General", "5.3.40 5.2.30 5.70.1", "hard", id="codes that only begin alike"),
        pytest.param("Permanent", "General", "4.7.1", "hard", id="a temporary policy"),
        pytest.param("Permanent", "ContentRejected", "", "blocked", id="its content"),
        pytest.param("Permanent", "MessageTooLarge", "5.1.1", "blocked", id="its size"),
        pytest.param("Permanent", "AttachmentRejected", "", "blocked", id="its attachment"),
        pytest.param("Transient", "ContentRejected", "", "blocked", id="its content, for now"),
        pytest.param("Transient", "MailboxFull", "4.2.2", "soft", id="a full mailbox"),
        pytest.param("Undetermined", "Undetermined", "", "soft", id="nobody knows"),
        pytest.param(None, None, "", "soft", id="not told"),
        pytest.param("permanent", "General", "5.1.1", "soft", id="another word"),
    ],
)
def test_a_bounce_is_judged_by_its_type_unless_it_is_about_us(
    type_: str | None, sub_type: str | None, codes: str, judged: str
) -> None:
    assert judge(type_, sub_type, codes) == judged


def outcome(word: str, day: float) -> Outcome:
    at = START + day * DAY
    match word:
        case "delivered":
            return Outcome(None, None, at)
        case "nothing":
            return Outcome(None, None, None)
        case "both":
            return Outcome(at, "soft", at)
        case _:
            return Outcome(at, word, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "is_ailing"),
    [
        pytest.param([("soft", 0), ("soft", 3), ("soft", 7)], True, id="three in seven days"),
        pytest.param([("soft", 0), ("soft", 3), ("soft", 6.99)], False, id="three in less"),
        pytest.param([("soft", 0), ("soft", 14)], False, id="two"),
        pytest.param([("soft", n) for n in range(8)], True, id="one a day, for eight days"),
        pytest.param([("soft", 0), ("soft", 7), ("soft", 14), ("nothing", 15)], True, id="and one still on its way"),
        pytest.param([("soft", 0), ("delivered", 7), ("soft", 14), ("soft", 21)], False, id="one delivered between"),
        pytest.param([("soft", 0), ("soft", 7), ("soft", 14), ("delivered", 15)], False, id="one delivered since"),
        pytest.param([("soft", 0), ("both", 7), ("soft", 14)], False, id="one that bounced and was delivered"),
        pytest.param([("soft", 0), ("blocked", 7), ("soft", 14)], False, id="one that was about us between"),
        pytest.param([("soft", 0), ("nothing", 7), ("soft", 14)], False, id="one between of which nothing is known"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_soft_bounces_in_a_row_over_a_week_suppress_an_address(told: list[tuple[str, float]], is_ailing: bool) -> None:
    found = ailing([outcome(*one) for one in reversed(told)], again=False)

    assert (found is not None) is is_ailing


@pytest.mark.parametrize(("again", "days"), [(False, 30), (True, 60)])
def test_it_is_let_alone_for_a_month_and_then_for_two(again: bool, days: int) -> None:
    row = [outcome("soft", day) for day in (20, 10, 0)]

    last = START + 20 * DAY
    assert ailing(row, again=again) == Ailing(last, last + days * DAY)
