"""Quantiles and tails that the standard library does not have are those of SciPy."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from skene_dagster.outcomes.lift.quantiles import chi_square_tail, normal_quantile, student_quantile

LEVELS = [0.5, 0.8, 0.95, 0.998, 1 - 0.05 / 2, 1 - 0.05 / 7, 1 - 0.05 / 1_000, 1 - 1e-12]


@pytest.mark.parametrize("level", LEVELS)
def test_the_normal_quantile_is_scipy_s(level: float) -> None:
    assert normal_quantile(level) == pytest.approx(stats.norm.isf((1 - level) / 2), rel=1e-12)


def test_the_check_for_harm_looks_at_three_point_nought_nine_standard_errors() -> None:
    assert normal_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
    assert normal_quantile(0.998) == pytest.approx(3.090232, abs=1e-6)


@pytest.mark.parametrize("degrees", [99, 99.5, 120, 400, 10_000, 1e6, 1e12])
@pytest.mark.parametrize("level", LEVELS[:-1])
def test_student_s_quantile_is_scipy_s_to_seven_digits(level: float, degrees: float) -> None:
    assert student_quantile(level, degrees) == pytest.approx(stats.t.isf((1 - level) / 2, degrees), rel=1e-7)


@pytest.mark.parametrize("degrees", [99, 120, 400])
def test_at_the_usual_level_it_is_scipy_s_to_nine_digits(degrees: float) -> None:
    assert student_quantile(0.95, degrees) == pytest.approx(stats.t.isf(0.025, degrees), rel=1e-10)


@given(st.floats(0.01, 0.9999), st.floats(99, 1e9))
def test_student_s_quantile_is_scipy_s_at_any_level(level: float, degrees: float) -> None:
    assert student_quantile(level, degrees) == pytest.approx(stats.t.isf((1 - level) / 2, degrees), rel=1e-7)


@pytest.mark.parametrize("degrees", [98.9, 1, 0, -1, nan])
def test_student_s_quantile_is_not_told_where_its_series_is_rough(degrees: float) -> None:
    with pytest.raises(ValueError, match="degrees of freedom"):
        student_quantile(0.95, degrees)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 1.5, nan])
def test_a_level_lies_between_nought_and_one(level: float) -> None:
    with pytest.raises(ValueError, match="no level"):
        normal_quantile(level)


@given(st.floats(0, 900), st.integers(1, 60))
def test_the_tail_of_chi_square_is_scipy_s(chi_square: float, degrees: int) -> None:
    assert chi_square_tail(chi_square, degrees) == pytest.approx(
        stats.chi2.sf(chi_square, degrees), rel=1e-9, abs=1e-300
    )


def test_the_tail_of_chi_square_ends_at_nought_and_begins_at_one() -> None:
    assert chi_square_tail(0.0, 1) == chi_square_tail(0.0, 2) == chi_square_tail(0.0, 5) == 1.0
    assert chi_square_tail(1e12, 1) == chi_square_tail(1e12, 9) == chi_square_tail(1e12, 200) == 0.0


@pytest.mark.parametrize(("chi_square", "degrees"), [(-1.0, 1), (nan, 1), (1.0, 0)])
def test_what_is_no_chi_square_is_refused(chi_square: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="χ²"):
        chi_square_tail(chi_square, degrees)


def test_an_infinite_chi_square_has_no_tail() -> None:
    assert chi_square_tail(inf, 1) == 0.0
