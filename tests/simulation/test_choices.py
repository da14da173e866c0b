"""Choices by name: leaving one out moves no other, and a history that fails is made as short as it can be."""

from choices import Choices, Made, shrink


def drawn(choices: Choices) -> list[int]:
    return [choices.pick(name, 5, 0.5) for name in ("fault:run1", "fault:run2", "fault:run1", "kill:run1") * 5]


def test_what_a_seed_draws_is_drawn_again_by_its_choices() -> None:
    by_the_seed = Choices(seed=4)

    values = drawn(by_the_seed)

    assert any(values)
    assert drawn(Choices(script=by_the_seed.made)) == values


def test_leaving_one_out_moves_no_other() -> None:
    by_the_seed = Choices(seed=4)
    values = drawn(by_the_seed)
    first = next(iter(by_the_seed.made))

    without = drawn(Choices(script={name: value for name, value in by_the_seed.made.items() if name != first}))

    assert sum(one != other for one, other in zip(values, without, strict=True)) == 1


def test_a_value_that_is_not_offered_any_more_is_the_last_that_is() -> None:
    assert Choices(script={"fault#0": 7}).pick("fault", 3, 0.0) == 2


def test_what_is_given_is_not_drawn() -> None:
    choices = Choices(seed=1, given={"mode": 3, "mode#1": 2})

    assert [choices.pick("mode", 5, 0.0) for _ in range(3)] == [3, 2, 3]


def test_shrinking_leaves_out_what_does_not_matter_and_makes_numbers_smaller() -> None:
    made = {f"choice#{n}": 4 for n in range(50)}

    def fails(script: Made) -> bool:
        return script.get("choice#7", 0) >= 2 and "choice#40" in script

    assert shrink(made, fails, seconds=60) == {"choice#7": 2, "choice#40": 1}


def test_shrinking_ends_in_time() -> None:
    made = {f"choice#{n}": 4 for n in range(50)}

    assert shrink(made, lambda _script: True, seconds=0) == made
