"""What is wrong with a cron expression is told with what to write, and that can be written."""

import pytest

from skene_dagster.loops.times.cron import either_day, fault_of_cron


@pytest.mark.parametrize(
    ("written", "field", "instead"),
    [
        pytest.param("0 22-2 * * *", 1, "22-23,0-2", id="hours over midnight"),
        pytest.param("0 22-0 * * *", 1, "22-23,0", id="hours until midnight"),
        pytest.param("0 23-1 * * *", 1, "23,0-1", id="hours from eleven"),
        pytest.param("0 22-2/2 * * *", 1, "22,0,2", id="every second hour over midnight"),
        pytest.param("50-10 * * * *", 0, "50-59,0-10", id="minutes over the hour"),
        pytest.param("0 9 25-5 * *", 2, "25-31,1-5", id="days over the end of the month"),
        pytest.param("0 9 * nov-feb *", 3, "11-12,1-2", id="months over the end of the year"),
        pytest.param("0 9 * * FRI-MON", 4, "5,6,0,1", id="weekdays over the weekend, by name"),
        pytest.param("0 9 * * 5-1", 4, "5,6,0,1", id="weekdays over the weekend"),
        pytest.param("0 9 * * SAT-SUN", 4, "6,0", id="the weekend"),
        pytest.param("0 9 * * 7-2", 4, "0,1,2", id="from Sunday, as seven"),
        pytest.param("0 9 * * 7-3/2", 4, "0,2", id="every second weekday from Sunday, as seven"),
        pytest.param("0 9 25-5/2 * *", 2, "25,27,29,31,2,4", id="every second day over the end of the month"),
        pytest.param("0 9 * 11-3/2 *", 3, "11,1,3", id="every second month over the end of the year"),
    ],
)
def test_a_range_that_runs_backwards_is_told_with_the_same_forwards(written: str, field: int, instead: str) -> None:
    fields = written.split()

    assert fault_of_cron(written) == f"The range {fields[field]} runs backwards: write {instead}."
    assert fault_of_cron(" ".join([*fields[:field], instead, *fields[field + 1 :]])) == ""


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        pytest.param("@daily", "0 0 * * *", id="daily"),
        pytest.param("@Midnight", "0 0 * * *", id="midnight"),
        pytest.param("@hourly", "0 * * * *", id="hourly"),
        pytest.param("@weekly", "0 0 * * 0", id="weekly"),
        pytest.param("@monthly", "0 0 1 * *", id="monthly"),
        pytest.param("@yearly", "0 0 1 1 *", id="yearly"),
        pytest.param("@every 5m", "*/5 * * * *", id="every five minutes"),
        pytest.param("@every 1m", "* * * * *", id="every minute"),
        pytest.param("@every 60m", "0 * * * *", id="every sixty minutes"),
        pytest.param("@every 6h", "0 */6 * * *", id="every six hours"),
        pytest.param("@every 1h", "0 * * * *", id="every hour"),
        pytest.param("@every 24h", "0 0 * * *", id="every day"),
        pytest.param("0 0 9 * * *", "0 9 * * *", id="with seconds"),
        pytest.param("0 0 9 ? * MON 2027", "0 9 * * MON", id="Quartz, with seconds and a year"),
        pytest.param("09:00", "0 9 * * *", id="a time"),
        pytest.param("18:30", "30 18 * * *", id="a time in the evening"),
    ],
)
def test_another_way_of_writing_is_told_in_five_fields(written: str, instead: str) -> None:
    assert f": {instead}." in fault_of_cron(written)
    assert fault_of_cron(instead) == ""


@pytest.mark.parametrize(
    ("written", "words"),
    [
        pytest.param("", "It has 0 fields; write five: minute hour day month weekday", id="nothing"),
        pytest.param("0 9 * *", "It has 4 fields; write five", id="four fields"),
        pytest.param("0 0 99 * * *", "It has 6 fields; write five", id="six fields that are none without the first"),
        pytest.param("@every 7m", "not intervals; write something like */15 * * * *", id="every seven minutes"),
        pytest.param("@every 90s", "not intervals", id="every ninety seconds"),
        pytest.param("@every 0m", "not intervals", id="every nothing"),
        pytest.param("@every 24m", "not intervals", id="a divisor of the day, in minutes"),
        pytest.param("@every 5h", "not intervals", id="every five hours"),
        pytest.param("@every 30h", "not intervals", id="every thirty hours"),
        pytest.param("@reboot", "There is no such word", id="reboot"),
        pytest.param("0 9 ? * MON", "'?' is Quartz's word for any day; write *.", id="Quartz's question mark"),
        pytest.param("0 9 * * 5L", "'5L' is not known here. The last day of the month is L", id="the last Friday"),
        pytest.param("0 9 * * FRIL", "'FRIL' is not known here.", id="the last Friday, by name"),
        pytest.param("0 9 LW * *", "'LW' is not known here.", id="the last weekday"),
        pytest.param("0 9 15W * *", "'15W' is not known here.", id="the weekday next to the 15th"),
        pytest.param("0 9 L-3 * *", "'L-3' is not known here.", id="three days before the last"),
        pytest.param("0 9 * * x#2", "'x#2' is not known here. The second Monday is MON#2", id="a second nothing"),
        pytest.param("0 9 * * 8#2", "'8#2' is not known here. The second Monday is MON#2", id="a second weekday 8"),
        pytest.param("0 9 * * 5#0", "The second Monday is MON#2", id="a zeroth Friday"),
        pytest.param("0 9 */32 * *", "from 1 to 31: steps start over with each month", id="a step over the month"),
        pytest.param("0 9 1 */13 *", "from 1 to 12: steps start over with each year", id="a step over the year"),
        pytest.param("0 9 * * */8", "from 1 to 7: steps start over with each week", id="a step over the week"),
        pytest.param("0 9 * * 2/2", "some without: write 2,4,6.", id="weekdays from Tuesday on, in steps"),
        pytest.param("0 9 * * 2-7/2", "some without: write 2,4,6.", id="weekdays from Tuesday until Sunday, in steps"),
        pytest.param("0 9 * * 5#6", "The second Monday is MON#2", id="a sixth Friday"),
        pytest.param("0 0 9 * * * 2027 8", "It has 8 fields; write five", id="eight fields, with a time among them"),
        pytest.param("0 9 * * 6/2", "The range 6/2 is one weekday: write 6.", id="weekdays from Saturday on, in steps"),
        pytest.param("0 9 * * 7/2", "The range 7/2 is one weekday: write 7.", id="weekdays from Sunday on, in steps"),
        pytest.param("0 9 * * MON#1,WED", "alone in the field of the weekday", id="a first Monday in a list"),
        pytest.param("0 9 1#2 * *", "The second Monday is MON#2", id="a second day"),
        pytest.param("*/0 * * * *", "The step of '*/0' must be from 1 to 60", id="a step of nothing"),
        pytest.param("*/90 * * * *", "from 1 to 60: steps start over with each hour", id="a step over the hour"),
        pytest.param("0 */36 * * *", "from 1 to 24: steps start over with each day", id="a step over the day"),
        pytest.param("0 24 * * *", "There is no hour 24; they are 0 to 23; midnight is 0.", id="hour 24"),
        pytest.param("0 0-24 * * *", "There is no hour 24", id="until hour 24"),
        pytest.param("60 * * * *", "There is no minute 60; they are 0 to 59.", id="minute 60"),
        pytest.param("0 9 0 * *", "There is no day 0; they are 1 to 31.", id="day 0"),
        pytest.param("0 9 * 13 *", "There is no month 13; they are 1 to 12.", id="month 13"),
        pytest.param("0 9 * * 8", "There is no weekday 8; they are 0 to 7; Sunday is 0 or 7.", id="weekday 8"),
        pytest.param("0 9 * * Monday", "'Monday' is not a valid weekday; write MON.", id="a weekday in full"),
        pytest.param("0 9 Monday * *", "'Monday' is not a valid day; write 1 to 31.", id="a weekday in full for a day"),
        pytest.param("0 9 31 4-6/2 *", "There is no 31 April or June.", id="31 of every second month"),
        pytest.param("0 9 31 2/12 *", "There is no 31 February.", id="31 of every twelfth month"),
        pytest.param("0 9 * Sept *", "'Sept' is not a valid month; write SEP.", id="a month in four letters"),
        pytest.param("0 9 * MON *", "'MON' is a weekday, but this is the month", id="a weekday for a month"),
        pytest.param("0 9 * * x", "'x' is not a valid weekday; write 0 to 7, or SUN to SAT.", id="a letter"),
        pytest.param("H 9 * * *", "'H' is not a valid minute; write 0 to 59.", id="Jenkins's H"),
        pytest.param("1,2, * * * *", "'' is not a valid minute", id="a comma too much"),
        pytest.param("1.5 * * * *", "'1.5' is not a valid minute", id="a fraction"),
        pytest.param("\N{ARABIC-INDIC DIGIT THREE} * * * *", "is not a valid minute", id="a digit of another script"),
        pytest.param("0 9 31 2 *", "There is no 31 February.", id="31 February"),
        pytest.param("0 9 30 feb MON", "There is no 30 February.", id="30 February, or a Monday"),
        pytest.param("0 9 * * 1/2", "some without: write 1,3,5.", id="weekdays from Monday on, in steps"),
        pytest.param("0 9 * * 1-7/2", "some without: write 1,3,5,7.", id="weekdays until Sunday, in steps"),
        pytest.param("0 9 * * 0-0", "The range 0-0 is one weekday: write 0.", id="a range of one"),
        pytest.param("0 9 31/2 * 1", "The range 31/2 is one day: write 31.", id="steps from the last day"),
        pytest.param("0 9 * * 1,*", "'1,*' is any weekday: write *.", id="a list with a star"),
        pytest.param("0 9 31 4,6 *", "There is no 31 April or June.", id="31 April or June"),
        pytest.param("0 9 30-31 2 *", "There is no 30-31 February.", id="a range of days that February lacks"),
        pytest.param("0 9 30 2 1", "For the weekday alone write * as the day.", id="30 February, or a weekday"),
        pytest.param("0 9 1 * MON#2", "MON#2 must be used alone: write * as the day.", id="a day, or a second Monday"),
        pytest.param("0 9 L * 5#1", "5#1 must be used alone", id="the last day, or a first Friday"),
        pytest.param("0 9 31 4 MON", "There is no 31 April. For the weekday alone", id="31 April, or a Monday"),
    ],
)
def test_what_cannot_be_a_time_is_told_in_the_authors_words(written: str, words: str) -> None:
    assert words in fault_of_cron(written)


@pytest.mark.parametrize(
    "cron",
    [
        *("*/60 * * * *", "0 */24 * * *", "0 9 */31 * *", "0 9 1 */12 *", "0 9 * * */7"),
        *("0 9 * * 7#2", "0 9 * * 0#5", "0 9 * * MON#1", "0 9 * * 7", "0 9 * * 1-5/2", "59 23 31 12 6", "0 0 1 1 0"),
    ],
)
def test_the_largest_steps_and_numbers_are_times(cron: str) -> None:
    assert fault_of_cron(cron) == ""


@pytest.mark.parametrize(
    "cron", ["0 9 29 2 *", "0 9 31 */2 *", "0 9 31 2-3 *", "0 9 31 4/2 *", "0 9 L 2 *", "0 9 30,28 2 1", "0 9 1/5 2 *"]
)
def test_a_day_that_comes_now_and_then_is_a_time(cron: str) -> None:
    assert fault_of_cron(cron) == ""


@pytest.mark.parametrize(("month", "last"), [*enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1)], ids=str)
def test_a_month_has_its_days(month: int, last: int) -> None:
    assert fault_of_cron(f"0 9 {last} {month} *") == ""
    assert fault_of_cron(f"0 9 {last + 1} {month} *") != ""


def test_of_a_weekday_it_is_spoken_where_there_is_one() -> None:
    assert fault_of_cron("0 9 31 2 *") == "There is no 31 February."
    assert fault_of_cron("0 9 31 2 1") == "There is no 31 February. For the weekday alone write * as the day."


@pytest.mark.parametrize(
    ("cron", "either"),
    [
        pytest.param("0 9 */2 * 1", ("*/2", "1"), id="a step of days, and a weekday"),
        pytest.param("0 9 1 * */2", ("1", "*/2"), id="a day, and a step of weekdays"),
        pytest.param("0  9 1,15 * MON-FRI", ("1,15", "MON-FRI"), id="days and weekdays"),
        pytest.param("0 9 * * 1", None, id="a weekday"),
        pytest.param("0 9 1 * *", None, id="a day"),
        pytest.param("0 9 * * *", None, id="each day"),
    ],
)
def test_a_cron_expression_with_a_day_and_a_weekday_runs_on_either(cron: str, either: tuple[str, str] | None) -> None:
    assert fault_of_cron(cron) == ""
    assert either_day(cron) == either
