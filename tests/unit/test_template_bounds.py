"""What a template may cost: up to each limit an email is made, one step beyond it is not."""

from collections.abc import Iterable

import pytest
from jinja2.exceptions import SecurityError

from skene_dagster.delivery.email.headers import Unrenderable
from skene_dagster.delivery.email.templates.bounds import Account, joined
from skene_dagster.delivery.email.templates.sandbox import TEXT, compiled

TOO_LONG = "^an expression gives more than 300,000 characters$"
TOO_WIDE = "^a string is padded to more than 1,000 characters$"
FORMAT = "^a format is too wide$"
DIGITS = "^a number is rounded to more than 30 digits$"
UNSAFE = "^a part that a value does not have$"
NUMBER = "^an expression gives a number that is too large$"


def rendered(expression: str, **values: object) -> str:
    return compiled(TEXT, f"{{{{ {expression} }}}}").render(values)


def an_account() -> Account:
    account = TEXT.from_string("").new_context()
    assert isinstance(account, Account)
    return account


# Each expression has an N, and is made with the most that is allowed, and with one more.
@pytest.mark.parametrize(
    ("expression", "most", "why"),
    [
        pytest.param("'a'|center(N)|length", 1_000, TOO_WIDE, id="a text in the middle"),
        pytest.param("'a'|center(width=N)|length", 1_000, TOO_WIDE, id="a text in the middle, by name"),
        pytest.param("'a'.center(N)|length", 1_000, TOO_WIDE, id="a method that centres"),
        pytest.param("'a'.ljust(N)|length", 1_000, TOO_WIDE, id="a method that fills up on the right"),
        pytest.param("'a'.rjust(N)|length", 1_000, TOO_WIDE, id="a method that fills up on the left"),
        pytest.param("'7'.zfill(N)|length", 1_000, TOO_WIDE, id="a method that fills up with zeros"),
        pytest.param("[1]|batch(N, 2)|list|length", 1_000, TOO_WIDE, id="a list that is filled up"),
        pytest.param("[1]|batch(linecount=N, fill_with=2)|list|length", 1_000, TOO_WIDE, id="a list, by name"),
        pytest.param("[1]|slice(N)|list|length", 1_000, TOO_WIDE, id="slices"),
        pytest.param("[1]|slice(slices=N)|list|length", 1_000, TOO_WIDE, id="slices, by name"),
        pytest.param("'a\\nb\\nc'|indent(N)|length", 100_000, TOO_LONG, id="three lines indented"),
        pytest.param("'a\\rb\\x0bc'|indent(N)|length", 100_000, TOO_LONG, id="lines that end otherwise, indented"),
        pytest.param("'a\\nb'|indent('-' * N)|length", 150_000, TOO_LONG, id="two lines indented with a text"),
        pytest.param("('\\n' * (N - 1))|indent|length", 75_000, TOO_LONG, id="lines indented by four, as is usual"),
        pytest.param("('a b ' * 5)|wordwrap(10, true, '-' * N)|length", 100_000, TOO_LONG, id="a text in three lines"),
        pytest.param("('a b ' * 5)|wordwrap(10, wrapstring='-' * N)|length", 100_000, TOO_LONG, id="lines, by name"),
        pytest.param("'a\\nb\\nc'|wordwrap(9, wrapstring='-' * N)|length", 100_000, TOO_LONG, id="lines of its own"),
        # Lines of 79 characters are what Jinja makes where nothing is said: the text has 100 of them.
        pytest.param("('a b ' * 1975)|wordwrap(wrapstring='-' * N)|length", 2_970, TOO_LONG, id="lines as is usual"),
        pytest.param("('b ' ~ 'a' * N)|wordwrap|length", 10_000, "^a word of more than 10,000 char", id="a long word"),
        pytest.param("['a' * 150000, 'a' * (N - 150000)]|join|length", 300_000, TOO_LONG, id="a list that is joined"),
        pytest.param("['a', 'b', 'c']|join('-' * N)|length", 99_999, TOO_LONG, id="a list joined with a long text"),
        pytest.param("['a', 'b', 'c']|join(d='-' * N)|length", 99_999, TOO_LONG, id="a list joined by name"),
        pytest.param("('-' * N).join(['a', 'b', 'c'])|length", 99_999, TOO_LONG, id="a method that joins"),
        pytest.param("('a' * 150000 ~ 'a' * (N - 150000))|length", 300_000, TOO_LONG, id="two texts with ~"),
        pytest.param("('a' * N + 'b' * 150000)|length", 150_000, TOO_LONG, id="two texts with +"),
        pytest.param("('a' * N)|length", 300_000, TOO_LONG, id="a text so many times"),
        pytest.param("(N * 'abc')|length", 100_000, TOO_LONG, id="so many times a text"),
        pytest.param("'aXbX'|replace('X', 'c' * N)|length", 149_998, TOO_LONG, id="a text in place of another"),
        pytest.param("'ab'|replace('', 'c' * N)|length", 99_999, TOO_LONG, id="a text between all letters"),
        pytest.param("'aXbX'.replace('X', 'c' * N)|length", 149_998, TOO_LONG, id="a method that replaces"),
        pytest.param("1.5|round(N)", 30, DIGITS, id="digits"),
        pytest.param("1.5|round(precision=N)", 30, DIGITS, id="digits, by name"),
        pytest.param("1.5|round(-N)", 30, DIGITS, id="digits before the point"),
        pytest.param("2 ** N", 128, NUMBER, id="a power"),
        pytest.param("(2 ** 127) * (2 ** N)", 127, NUMBER, id="a product"),
        pytest.param("'%Nd' % 7", 999, FORMAT, id="a width"),
        pytest.param("'%s of %Nd' % (7, 8)", 999, FORMAT, id="a second width"),
        pytest.param("'%0N.2f' % 7", 999, FORMAT, id="a width with a flag"),
        pytest.param("'%(n)Nd' % {'n': 7}", 999, FORMAT, id="a width of a name"),
        pytest.param("'%.Nf' % 7", 999, FORMAT, id="a precision"),
        pytest.param("'%9.Nf'|format(7)", 999, FORMAT, id="a width and a precision"),
        pytest.param("'{:N}'.format(7)", 999, FORMAT, id="a width of format()"),
        # Each % may be as wide as 1,000 characters and the longest value together.
        pytest.param("('%%' * 149 + 'a' * (N - 298))|format|length", 2_000, FORMAT, id="a text of many %"),
        pytest.param("(('%s' * 200) % (('a',) * 199 + ('b' * N,)))|length", 498, FORMAT, id="many values"),
        pytest.param("('%%' * 99 ~ '%s%s')|format('a', 'b' * N)|length", 498, FORMAT, id="many values of a filter"),
    ],
)
def test_up_to_a_limit_a_value_is_made_and_beyond_it_the_email_stops(expression: str, most: int, why: str) -> None:
    assert rendered(expression.replace("N", str(most)))

    with pytest.raises(Unrenderable, match=why):
        rendered(expression.replace("N", str(most + 1)))


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        pytest.param("'a'|center(0)", TOO_WIDE, id="a width of nothing"),
        pytest.param("[1]|slice(0)|list", TOO_WIDE, id="no slices"),
        pytest.param("'a'|indent(-1)", TOO_LONG, id="an indentation to the left"),
        pytest.param("'a b'|wordwrap(0)", TOO_LONG, id="lines without a letter"),
        pytest.param("[[1]]|join", "^a list in a list is joined$", id="a list in a list"),
        pytest.param("[[1]] ~ 'a'", "^a list in a list is joined$", id="a list beside a text"),
        pytest.param("'%s' % [[1]]", "^a list is formatted as a string$", id="a list in %"),
        pytest.param("'%s %s' % ('a', [1])", "^a list is formatted as a string$", id="a list after a text in %"),
        pytest.param("'%(n)s' % {'n': [1]}", "^a list is formatted as a string$", id="a list by name in %"),
        pytest.param("'%s %s'|format('a', [1])", "^a list is formatted as a string$", id="a list in format"),
        pytest.param("'%(n)s'|format(n=[1])", "^a list is formatted as a string$", id="a list by name in format"),
        pytest.param("[1]|upper", "^a list is used as a string$", id="a list in capitals"),
        pytest.param("'%*d' % (5000, 7)", FORMAT, id="a width that is a value"),
        pytest.param("'%.*f' % (5000, 7)", FORMAT, id="a precision that is a value"),
        pytest.param("'%(' % {}", FORMAT, id="a name without an end"),
        pytest.param("'{:{}}'.format(7, 5000)", FORMAT, id="a width of format() that is a value"),
        pytest.param("'a'.expandtabs(9)", UNSAFE, id="a method that makes more of a text"),
        pytest.param("(7).to_bytes(9)", UNSAFE, id="a method of a number"),
    ],
)
def test_what_has_no_sensible_cost_stops_the_email(expression: str, why: str) -> None:
    with pytest.raises((Unrenderable, SecurityError), match=why):
        rendered(expression)


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        pytest.param("'a'|center(3)", " a ", id="a narrow width"),
        pytest.param("[1, 2, 3]|batch(1)|list|length", "3", id="batches of one"),
        pytest.param("'a\nb'|indent(0)", "a\nb", id="no indentation"),
        pytest.param("'abc'|wordwrap(1)", "a\nb\nc", id="lines of a letter"),
        pytest.param("'1000 of %d' % 7", "1000 of 7", id="a number before a format"),
        pytest.param("'%s %s' % ('a', 'b')", "a b", id="two texts formatted"),
        pytest.param("'%(n)s'|format(n='a')", "a", id="a text formatted by name"),
        pytest.param("'{}'.format('a')", "a", id="format()"),
        pytest.param("10 % 3", "1", id="a remainder"),
        pytest.param("300001 * 300001", str(300_001**2), id="a product of numbers"),
        pytest.param("-300001 * -300001", str(300_001**2), id="a product of negative numbers"),
        pytest.param("300000 + 1", "300001", id="a sum of numbers"),
        pytest.param("'a' ~ 7 ~ 1.5", "a71.5", id="numbers in a text"),
        pytest.param("2 ** -1", "0.5", id="a negative power"),
        pytest.param("(2.0).is_integer()", "True", id="the one method of numbers"),
        pytest.param("('a' * 300000)|join|length", "300000", id="the letters of a long text"),
    ],
)
def test_what_costs_little_is_made_as_jinja_makes_it(expression: str, shown: str) -> None:
    assert rendered(expression) == shown


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([7, None, 1.5], 0, id="numbers"),
        pytest.param(["a" * 31], 0, id="a short text"),
        pytest.param(["a" * 32], 1, id="32 characters"),
        pytest.param([b"a" * 64], 2, id="64 bytes"),
        pytest.param([[1, 2, 3]], 3, id="a list"),
        pytest.param([(1, "a" * 64)], 4, id="a long text in a list"),
        pytest.param([{"a": 1, "b": 2}], 4, id="keys and values"),
        pytest.param([range(5)], 5, id="numbers that are counted"),
        pytest.param([[[1, 2]], 7], 3, id="a list in a list"),
    ],
)
def test_an_operation_is_a_step_and_so_are_32_characters_and_each_item(values: list[object], steps: int) -> None:
    account = an_account()

    account.charge(*values)

    assert account.work == 1 + steps


def test_an_email_may_take_200_000_steps() -> None:
    account = an_account()

    account.charge([1] * 199_999)

    with pytest.raises(Unrenderable, match=r"^the template takes too many steps$"):
        account.charge()


def test_a_list_of_the_same_long_list_is_not_counted_to_its_end() -> None:
    with pytest.raises(Unrenderable, match=r"^the template takes too many steps$"):
        compiled(TEXT, "{% set x = [1] * 90000 %}{% set y = [x] * 90000 %}").render()


# A loop of 20,000 turns, in each of which so many operations are done: the tenth is too many.
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("{% set x = 1 + 1 %}", id="a sum"),
        pytest.param("{% set x = name|upper %}", id="a filter"),
        pytest.param("{% set x = name is string %}", id="a test"),
        pytest.param("{% set x = name.upper() %}", id="a call"),
        pytest.param("{% set x = name ~ name %}", id="a text of two"),
        pytest.param("{% set x = name == name %}", id="a comparison"),
        pytest.param("{% set x = name[1:] %}", id="a slice"),
        pytest.param("{{ nothing }}", id="a value that is printed"),
    ],
)
def test_each_operation_of_a_loop_is_charged(statement: str) -> None:
    template = f"{{% for i in range(20000) %}}{statement * 9}{{% endfor %}}"

    with pytest.raises(Unrenderable, match=r"^the template takes too many steps$"):
        compiled(TEXT, template).render(name="Ada", nothing="")


# A thousand characters are 31 steps, and the operation itself one or two: 5,000 turns take 175,000 at most.
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("{% set x = 'a' * 1000 %}", id="a text so many times"),
        pytest.param("{% set x = 'a'|center(1000) %}", id="a filter"),
        pytest.param("{% set x = 'a'.center(1000) %}", id="a call"),
        pytest.param("{% set x = name[:1000] %}", id="a slice"),
    ],
)
def test_what_an_operation_gives_is_charged_as_well(statement: str) -> None:
    template = "{%% for i in range(%d) %%}" + statement.replace("%", "%%") + "{%% endfor %%}"

    compiled(TEXT, template % 5_000).render(name="a" * 2000)
    with pytest.raises(Unrenderable, match=r"^the template takes too many steps$"):
        compiled(TEXT, template % 10_000).render(name="a" * 2000)


@pytest.mark.parametrize(
    ("parts", "is_too_long"),
    [
        pytest.param(["a" * 150_000, "b" * 150_000], False, id="300,000 characters"),
        pytest.param(["a" * 150_000, "b" * 150_000, "c"], True, id="one more"),
    ],
)
def test_all_that_a_template_prints_is_at_most_300_000_characters(parts: Iterable[str], is_too_long: bool) -> None:
    if is_too_long:
        with pytest.raises(Unrenderable, match=TOO_LONG):
            joined(parts)
    else:
        assert joined(parts) == "".join(parts)
