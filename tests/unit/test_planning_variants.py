"""Variants of an email: what an author may write, and what is refused."""

from pathlib import Path

import pytest

from skene_dagster.errors import DocumentErrors, SkeneError
from skene_dagster.loops.files.loaders import load_file
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.loop import plan_loop
from skene_dagster.loops.variants import drawn, in_each, variants_of
from skene_dagster.project import load_project
from skene_dagster.settings import load

STEP = """\
  - name: {name}
    trigger: {{type: schedule, cron: "0 9 * * *"}}
    condition: {{type: query, query: SELECT id FROM users}}
    action: {{type: email, template: hello{more}}}
"""
SETTINGS = """\
sender: {from: a@example.com, postal_address: 1 Example Street, unsubscribe_url: "https://example.com/{{user.id}}"}
"""


def plan(root: Path, *variants: str) -> LoopPlan:
    (root / "loops").mkdir(exist_ok=True)
    (root / "skene.yaml").write_text(SETTINGS, "utf-8")
    steps = "".join(STEP.format(name=f"step_{n}", more=more) for n, more in enumerate(variants))
    file = root / "loops" / "retention.yaml"
    file.write_text(f"type: retention\nsteps:\n{steps}", "utf-8")
    loaded = load_file(file, root)
    assert loaded.loop is not None, loaded.error
    assert loaded.document is not None
    return plan_loop(loaded.loop, loaded.document, load(root, {}))


def test_their_shares_are_parts_of_the_whole(tmp_path: Path) -> None:
    found = plan(tmp_path, ", variants: {a: 30, b: 10}")

    assert variants_of(found) == (("a", 0.75), ("b", 0.25))
    email = found.steps[0].email
    assert email is not None
    assert [one.template for one in in_each(email)] == ["hello.a", "hello.b"]


def test_a_toss_falls_into_each_as_often_as_its_share_says() -> None:
    shares = (("a", 0.75), ("b", 0.25))

    assert [drawn(shares, toss) for toss in (0.0, 0.7499, 0.75, 0.9999)] == ["a", "a", "b", "b"]
    assert drawn((("a", 0.3), ("b", 0.3), ("c", 0.3)), 0.99) == "c"
    assert drawn((), 0.5) is None


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ([", variants: {a: 1}"], "There is one variant, which everybody would get."),
        ([", variants: {a: 1, B!: 1}"], "'B!' cannot be the name of a variant."),
        ([", variants: {a: 1, b: 1}, transactional: true"], "Emails that their recipients asked for are not compared."),
        ([", variants: {a: 1, b: 1}", ", variants: {b: 1, a: 1}"], "The variants are others than those of an earlier"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, variants: list[str], said: str) -> None:
    with pytest.raises(SkeneError) as refused:
        plan(tmp_path, *variants)

    errors = refused.value.errors if isinstance(refused.value, DocumentErrors) else [refused.value]
    assert any(said in str(one) for one in errors)


def test_a_step_without_variants_may_stand_beside_one_that_has_them(tmp_path: Path) -> None:
    assert variants_of(plan(tmp_path, "", ", variants: {a: 1, b: 1}")) == (("a", 0.5), ("b", 0.5))


def test_the_files_of_each_are_checked(tmp_path: Path) -> None:
    plan(tmp_path, ", variants: {a: 1, b: 1}")
    (tmp_path / "templates").mkdir()
    for name in ("hello.a.mjml", "hello.a.txt", "hello.mjml", "hello.txt"):
        (tmp_path / "templates" / name).write_text("<mjml></mjml>", "utf-8")

    (broken,) = load_project(load(tmp_path, {})).broken

    assert "There is no template 'hello.b'; a template is templates/hello.b.mjml and hello.b.txt." in str(broken.error)
