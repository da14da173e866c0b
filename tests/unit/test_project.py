"""A project on disk: every loop planned, every broken file told, none hiding another."""

import textwrap
from pathlib import Path

import pytest

from skene_dagster.errors import DocumentError, LoopInvalid, SettingsError, TemplateError
from skene_dagster.project import Project, load_project
from skene_dagster.settings import load

LOOP = """
name: {name}
type: retention
steps:
  - trigger: {{type: schedule, cron: "0 9 * * *"}}
    condition: {{type: query, query: SELECT id FROM users WHERE 1 = 1}}
    action: {{type: email, template: {template}}}
"""
MJML = """
<mjml><mj-head><mj-title>Hello</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>
Hello <a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ postal_address }}
</mj-text></mj-column></mj-section></mj-body></mjml>
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(
        tmp_path / "skene.yaml",
        """
        sender:
          from: hello@example.com
          postal_address: 1 Example Street
          unsubscribe_url: https://example.com/unsubscribe?u={{user.id}}
        """,
    )
    write(tmp_path / "templates/hello.mjml", MJML)
    write(tmp_path / "templates/hello.txt", "Hello {{ unsubscribe_url }} {{ postal_address }}")
    (tmp_path / "loops").mkdir()
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(textwrap.dedent(text), encoding="utf-8")


def write_loop(root: Path, file: str, name: str, template: str = "hello") -> None:
    write(root / "loops" / file, LOOP.format(name=name, template=template))


def loaded(root: Path) -> Project:
    return load_project(load(root, {}))


def test_every_loop_is_planned_in_the_order_of_the_files(root: Path) -> None:
    write_loop(root, "b.yaml", "early")
    write_loop(root, "c.yaml", "late")

    project = loaded(root)

    assert [plan.name for plan in project.loops] == ["early", "late"]
    assert project.broken == ()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("type: [", id="it is no YAML"),
        pytest.param("type: nonsense", id="it says something impossible"),
        pytest.param(LOOP.format(name="Bad Name", template="hello"), id="it cannot be planned"),
        pytest.param(LOOP.format(name="good", template="hello").replace("SELECT", "DELETE"), id="its SQL writes"),
        pytest.param(LOOP.format(name="good", template="absent"), id="its template is missing"),
    ],
)
def test_a_broken_file_hides_no_other(root: Path, text: str) -> None:
    write(root / "loops/bad.yaml", text)
    write_loop(root, "well.yaml", "well")

    project = loaded(root)

    assert [plan.name for plan in project.loops] == ["well"]
    (broken,) = project.broken
    assert (broken.file, broken.stem) == ("loops/bad.yaml", "bad")
    assert "loops/bad.yaml" in str(broken.error)


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        pytest.param("type: [", None, id="nothing can be read"),
        pytest.param("type: retention\nnonsense: 1", "retention", id="its type"),
        pytest.param("name: win_back\ntype: nonsense", "win_back", id="its name"),
        pytest.param("- a list", None, id="it is no mapping"),
        pytest.param("name: 7\ntype: retention", None, id="its name is no text"),
    ],
)
def test_a_broken_file_keeps_what_its_loop_is_called(root: Path, text: str, loop: str | None) -> None:
    write(root / "loops/bad.yaml", text)

    project = loaded(root)

    assert [broken.loop for broken in project.broken] == [loop]


def test_every_fault_of_a_template_is_told(root: Path) -> None:
    write_loop(root, "hello.yaml", "hello")
    write(root / "templates/hello.txt", "{{ nobody_knows }}\n{{ unsubscribe_url }} {{ postal_address|safe }}")

    project = loaded(root)

    assert project.loops == ()
    errors = project.broken[0].error.errors
    assert [type(error) for error in errors] == [TemplateError, TemplateError]
    assert {error.place.line for error in errors if error.place} == {1, 2}


def test_two_loops_of_one_name_are_both_refused_and_each_names_the_other(root: Path) -> None:
    write_loop(root, "first.yaml", "twin")
    write_loop(root, "second.yaml", "twin")
    write_loop(root, "third.yaml", "single")

    project = loaded(root)

    assert [plan.name for plan in project.loops] == ["single"]
    first, second = project.broken
    assert isinstance(first.error, LoopInvalid)
    assert str(first.error).startswith("loops/first.yaml:2")
    assert "loops/second.yaml" in str(first.error)
    assert "loops/first.yaml" in str(second.error)
    assert (first.loop, second.loop) == ("twin", "twin")


def test_a_loop_without_a_name_collides_by_its_type(root: Path) -> None:
    write_loop(root, "named.yaml", "retention")
    write(root / "loops/nameless.yaml", LOOP.format(name="", template="hello").replace("name: \n", ""))

    project = loaded(root)

    assert [broken.file for broken in project.broken] == ["loops/named.yaml", "loops/nameless.yaml"]


def test_a_loop_whose_name_a_broken_file_claims_too_does_not_run(root: Path) -> None:
    write_loop(root, "broken.yaml", "well", template="absent")
    write_loop(root, "well.yaml", "well")

    project = loaded(root)

    # Which of the two is the loop that the ledger knows, nobody can say: neither runs.
    assert project.loops == ()
    assert [broken.loop for broken in project.broken] == ["well", "well"]
    assert [type(broken.error) for broken in project.broken] == [TemplateError, LoopInvalid]


@pytest.mark.parametrize("there", [pytest.param(True, id="empty"), pytest.param(False, id="missing")])
def test_a_folder_without_loops_is_told_like_a_broken_file(root: Path, there: bool) -> None:
    if not there:
        (root / "loops").rmdir()

    project = loaded(root)

    assert project.loops == ()
    assert [(broken.file, broken.stem, broken.loop) for broken in project.broken] == [("loops", "loops", None)]


def test_a_missing_folder_and_what_is_wrong_in_skene_yaml_are_told_at_once(root: Path) -> None:
    (root / "loops").rmdir()
    write(root / "skene.yaml", "users: {mailable: 'DELETE FROM users'}")

    with pytest.raises(DocumentError) as caught:
        loaded(root)

    missing, mailable = caught.value.errors
    assert "There is no folder loops/" in missing.message
    assert mailable.place is not None
    assert (mailable.place.file, mailable.place.part) == ("skene.yaml", "users.mailable")


def test_settings_that_are_wrong_are_nobodys_loop(root: Path) -> None:
    write(root / "skene.yaml", "users: {table: 7}")

    with pytest.raises(SettingsError):
        loaded(root)
