"""An error says where, what, and what to do; what it repeats of a file is cut; and it says whether to try again."""

import pytest

from skene_dagster import errors
from skene_dagster.cli.group import EXIT_CODES, LOOK, REFUSED, USAGE, WRONG_FILES, exit_code
from skene_dagster.errors import DocumentErrors, LoopError, Place, SkeneError, StoreError


@pytest.mark.parametrize(
    ("place", "said"),
    [
        pytest.param(Place("loops/a.yaml"), "loops/a.yaml", id="a file"),
        pytest.param(Place("loops/a.yaml", 7), "loops/a.yaml:7", id="a line"),
        pytest.param(Place("loops/a.yaml", part="step 1"), "loops/a.yaml  step 1", id="a part"),
        pytest.param(Place("loops/a.yaml", 7, "step 1"), "loops/a.yaml:7  step 1", id="a part in a line"),
    ],
)
def test_a_place_is_said_as_editors_read_it(place: Place, said: str) -> None:
    assert str(place) == said


def test_an_error_is_said_behind_its_place_or_alone() -> None:
    assert str(StoreError("It refused.", advice="Try again.")) == "It refused. Try again."
    assert str(StoreError("It refused.")) == "It refused."
    assert str(LoopError("Wrong.\nVery.", advice="Mend it.", place=Place("a.yaml", 7))) == (
        "a.yaml:7\n  Wrong.\n  Very. Mend it."
    )


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        pytest.param("x" * 100, "x" * 100, id="a word as long as may be"),
        pytest.param("x" * 101, "x" * 100 + "…", id="a longer one"),
        pytest.param("a " + "x" * 101 + " b", "a " + "x" * 100 + "… b", id="a longer one among others"),
        pytest.param("wor " * 250, "wor " * 250, id="a text as long as may be"),
        pytest.param("wor " * 250 + "d", "wor " * 250 + "…", id="a longer text"),
    ],
)
def test_what_is_repeated_of_a_file_is_cut(text: str, cut: str) -> None:
    error = LoopError(text, advice=text)

    assert (error.message, error.advice) == (cut, cut)
    assert StoreError(text).message == text


def test_several_errors_are_one_that_names_them_all() -> None:
    first, second = LoopError("First.", place=Place("a.yaml", 1)), LoopError("Second.")

    both = DocumentErrors([first, second])

    assert both.errors == (first, second)
    assert first.errors == (first,)
    assert both.message == "a.yaml:1\n  First.\nSecond."


def test_what_only_time_can_mend_is_worth_a_retry() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SkeneError)]

    assert {kind.__name__ for kind in kinds if kind.retryable} == {
        "StoreUnavailable", "CommitUnknown", "SegmentBusy", "RollupBusy", "SpoolError", "ProviderUnavailable",
    }  # fmt: skip


def test_a_command_ends_with_1_for_a_file_and_with_3_for_a_database() -> None:
    assert exit_code(LoopError("It is wrong.")) == 1
    assert exit_code(StoreError("It refused.")) == 3
    assert [line[:3] for line in EXIT_CODES.splitlines()[2:] if line[2:3].strip()] == [
        f"  {code}" for code in (0, WRONG_FILES, USAGE, REFUSED, LOOK)
    ]
