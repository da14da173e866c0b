"""Which loop and step a command is about, by what a person called it."""

from dataclasses import replace

import click
import pytest
from template_world import email, plan_of

from skene_dagster.cli.choosing import known_loop, steps_of
from skene_dagster.cli.choosing import plan_of as chosen
from skene_dagster.documents import Document
from skene_dagster.errors import DocumentErrors, LoopError, Place
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.project import Broken, Project


def a_loop(name: str, file: str, *steps: str) -> LoopPlan:
    plan, step = plan_of(email())
    named = tuple(replace(step, name=one) for one in steps or ("main",))
    return replace(plan, name=name, steps=named, document=Document(file, {}, {}))


def a_broken(file: str, loop: str | None) -> Broken:
    return Broken.of(file, loop, DocumentErrors([LoopError(f"{file} is wrong.", place=Place(file, 3))]))


ACTIVATION, RETENTION = a_loop("activation", "loops/first.yaml"), a_loop("retention", "loops/back.v2.yaml")
PROJECT = Project((ACTIVATION, RETENTION), (a_broken("loops/upgrade.yaml", "freemium"),))


@pytest.mark.parametrize(
    ("name", "plan"),
    [
        pytest.param("activation", ACTIVATION, id="its name"),
        pytest.param("loops/first.yaml", ACTIVATION, id="its file"),
        pytest.param("first.yaml", ACTIVATION, id="its file's name"),
        pytest.param("first", ACTIVATION, id="its file's name without the ending"),
        pytest.param("back.v2", RETENTION, id="a file's name with two endings, without the last"),
    ],
)
def test_a_loop_is_found_by_its_name_or_its_file_which_is_said(
    name: str, plan: LoopPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chosen(PROJECT, name) is plan
    said = "" if name == plan.name else f"notice  {plan.document.file} is the loop {plan.name}.\n"
    assert capsys.readouterr().err == said


def test_a_name_comes_before_a_file_of_that_name() -> None:
    misleading = a_loop("other", "loops/activation.yaml")

    assert chosen(Project((misleading, ACTIVATION), ()), "activation") is ACTIVATION


def test_a_file_s_name_that_two_have_is_refused() -> None:
    twice = Project((a_loop("one", "loops/a/same.yaml"), a_loop("two", "loops/b/same.yaml")), ())

    with pytest.raises(click.BadParameter, match=r"could be loops/a/same.yaml \(the loop one\) and loops/b/same.yaml"):
        chosen(twice, "same")


@pytest.mark.parametrize("name", ["freemium", "upgrade", "loops/upgrade.yaml"])
def test_a_loop_whose_file_is_wrong_is_answered_with_what_is_wrong(name: str) -> None:
    with pytest.raises(LoopError, match=r"loops/upgrade.yaml is wrong"):
        chosen(PROJECT, name)


def test_another_name_is_answered_with_the_loops_that_there_are() -> None:
    with pytest.raises(click.BadParameter, match=r"There is no loop 'retentoin'.*Did you mean 'retention'"):
        chosen(PROJECT, "retentoin")


def test_where_no_loop_is_well_any_name_is_answered_with_what_is_wrong() -> None:
    with pytest.raises(LoopError, match="is wrong"):
        chosen(Project((), PROJECT.broken), "activation")


def of_email(step: StepPlan) -> bool:
    return step.name != "silent"


def test_the_steps_of_a_command_are_those_that_it_can_be_about() -> None:
    plan = a_loop("retention", "loops/a.yaml", "first", "silent", "last")

    assert [step.name for step in steps_of(plan, None, of_email)] == ["first", "last"]
    assert [step.name for step in steps_of(plan, "last", of_email)] == ["last"]
    with pytest.raises(click.UsageError, match=r"^silent sends no email\.$"):
        steps_of(plan, "silent", of_email)
    with pytest.raises(click.UsageError, match=r"^retention waits for nobody\.$"):
        steps_of(a_loop("retention", "a", "silent"), None, of_email, "waits for nobody")
    with pytest.raises(click.BadParameter, match=r"retention has no step 'lst'.*Did you mean 'last'"):
        steps_of(plan, "lst", of_email)


@pytest.mark.parametrize(
    ("name", "loop"),
    [
        pytest.param("gone", "gone", id="in the database only"),
        pytest.param("activation", "activation", id="in a file"),
        pytest.param("freemium", "freemium", id="in a file that is wrong"),
        pytest.param("first.yaml", "activation", id="by its file"),
        pytest.param("upgrade", "freemium", id="by its file that is wrong"),
    ],
)
def test_an_order_may_be_about_a_loop_that_cannot_run(name: str, loop: str) -> None:
    assert known_loop(PROJECT, {"gone"}, name) == loop


def test_an_order_about_a_loop_that_nobody_knows_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(click.BadParameter, match=r"There is no loop 'other'. Use one of: activation, freemium, gone"):
        known_loop(PROJECT, {"gone"}, "other")
