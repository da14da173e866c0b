"""Each code block of the pages does what it says, as a stranger would paste it; one that no rule covers fails."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import click
import pytest
import yaml
from commands import every
from docs_commands import Shown, faults, lines, shown
from docs_not_run import NOT_RUN, why_not_run
from docs_outputs import SCENES, said
from docs_pages import ROOT, Block, blocks, in_code, page
from docs_project import copy_example
from docs_synopses import of_command
from docs_synopses import shown as synopsis
from sqlalchemy import Engine, insert, text

from skene_dagster.cli import main
from skene_dagster.delivery.email.templates.lint import lint
from skene_dagster.delivery.email.templates.sandbox import HTML
from skene_dagster.demo import product
from skene_dagster.settings import Feature, Users, load
from skene_dagster.store import schema
from skene_dagster.store.engine import open_engine
from skene_dagster.store.tables import OPEN, deferred, entitlements, sends

Rule = Callable[[Block, Path, Path], None]
"""Checks a block, in an empty folder, over the product's database."""


def run_commands(block: Block, folder: Path, database: Path) -> None:
    """Paste the commands into a shell, in the example project, with the virtual environment on the PATH."""
    root = copy_example(folder / "project", database)
    for line in lines(block):
        assert not [*faults(Shown(block.place, line).words)], f"{block.place}: {line}"
    pasted = "\n".join(line for line in lines(block) if why_not_run(line) is None)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", pasted],
        cwd=root,
        env=os.environ | {"PATH": path, "DAGSTER_HOME": str(root / ".skene")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block.place}: {pasted}\n{done.stdout}{done.stderr}"


def compare_synopsis(block: Block, _folder: Path, _database: Path) -> None:
    name, command, rest = named(block)
    if command is None:
        # The group's own: its options are described beside it.
        missing = {part.name for part in of_command(main)} - {one.text for one in page(block.place.page).code}
        assert not missing, f"{block.place}: not on this page: {missing}"
        return
    shown_, so = synopsis(rest), of_command(command)
    assert shown_ == so, f"{block.place}: {name}: too much {shown_ - so}, lacking {so - shown_}"


def named(block: Block) -> tuple[str, click.Command | None, str]:
    """Find the command of a synopsis, which may be one of a group, and what follows its name."""
    text = block.text.strip().removeprefix("skene-dagster ")
    for name, command in every().items():
        if text == name or text.startswith(f"{name} "):
            return name, command, text.removeprefix(name)
    return "", None, text


def produce_output(block: Block, folder: Path, database: Path) -> None:
    scene = next((scene for part, scene in SCENES.items() if part in block.text), None)
    assert scene is not None, f"{block.place}: nothing in tests/docs/docs_outputs.py produces this output"
    produced = scene(folder / "project", database)
    assert block.text in produced, f"{block.place}: what is printed is\n{produced}"


def is_drawing(block: Block, _folder: Path, _database: Path) -> None:
    assert re.search("[─│▶▼┴┬]", block.text), f"{block.place}: say what it is: `sh`, `text usage`, `text output`"


INVOICES = "CREATE TABLE invoices (user_id INTEGER, paid_at DATETIME, amount DOUBLE, status VARCHAR(20))"
"""A table that pages show a goal of, and the demo's product does not have."""


def validate_file(block: Block, folder: Path, database: Path) -> None:
    """Put a file where its title says: a loop alone and beside the shipped ones, settings in place of the example's."""
    assert block.title, f'{block.place}: say which file this is: title="loops/x.yaml", title="skene.yaml"'
    if block.title == "defs.yaml":
        load_component(block, folder, database)
        return
    if why_not_run(f"{block.place.page}: yaml {block.title}"):
        return
    if block.title == "skene.yaml":
        (folder / block.title).write_text(block.text, encoding="utf-8")
        load(folder, {})
        return
    assert block.title.startswith("loops/"), f"{block.place}: there is no rule for a file {block.title}"
    for name, with_others in (("alone", False), ("together", True)):
        root = copy_example(folder / name, database, loops=with_others)
        assert not (root / block.title).exists(), f"{block.place}: the project has a file {block.title} already"
        (root / block.title).write_text(block.text, encoding="utf-8")
        with closing(sqlite3.connect(root / ".skene" / "skene.db")) as shown:
            shown.execute(INVOICES)
        checked = said(root, "validate", "--database")
        assert re.search(r"^\d+ loops? ok\. Checked", checked, re.MULTILINE), f"{block.place}: {name}: {checked}"
        assert f" {block.title}" in checked, f"{block.place}: {name}: {checked}"


COMPONENT = """
import sys
from pathlib import Path
from dagster.components.testing import create_defs_folder_sandbox

with create_defs_folder_sandbox() as sandbox:
    component = sandbox.defs_folder_path / "loops"
    component.mkdir(parents=True)
    (component / "defs.yaml").write_text(sys.stdin.read())
    with sandbox.build_all_defs() as defs:
        assert "loops__retention" in {job.name for job in defs.resolve_all_job_defs()}
"""


def load_component(block: Block, folder: Path, database: Path) -> None:
    """Put it into the folder of a component, beside a project of loops."""
    root = copy_example(folder / "growth", database)
    run_in(folder, COMPONENT, block, text=block.text.replace("{{ context.project_root }}/growth", str(root)))


def load_definitions(block: Block, folder: Path, database: Path) -> None:
    """Put it beside a project of loops, and have Dagster validate what it defines."""
    copy_example(folder / "growth", database)
    (folder / "definitions.py").write_text(block.text, encoding="utf-8")
    run_in(folder, "import dagster, definitions; dagster.Definitions.validate_loadable(definitions.defs)", block)


def run_in(folder: Path, code: str, block: Block, text: str = "") -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        input=text,
        env=os.environ | {"PRODUCT_DATABASE_URL": f"sqlite:///{folder}/growth/.skene/skene.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block.place}: {done.stderr}"


def run_python(block: Block, folder: Path, database: Path) -> None:
    """Run it where the product would: `user` is whoever is signed in."""
    root = copy_example(folder / "project", database)
    before = "import segment.analytics\nsegment.analytics.send = False\nclass user:\n    id = 1\n"
    after = "\nimport skene_dagster\nassert skene_dagster.flush(60)\n"
    ours = "from skene_dagster" in block.text
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", before + block.text + after],
        cwd=root,
        env=os.environ | {"SKENE_DATABASE_URL": f"sqlite:///{root}/.skene/skene.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{block.place}: {done.stderr}"
    with closing(sqlite3.connect(root / ".skene" / "skene.db")) as stored:
        assert not ours or stored.execute("SELECT count(*) FROM skene_events").fetchall() == [(1,)], block.place


def run_frames(block: Block, folder: Path, database: Path) -> None:
    """Run it in a project that has had no run yet: its frames are empty."""
    root = copy_example(folder / "project", database)
    engine = open_engine(f"sqlite:///{root}/.skene/skene.db")
    schema.upgrade(engine, Users())
    engine.dispose()
    done = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=root,
        env=os.environ | {"SKENE_DATABASE_URL": f"sqlite:///{root}/.skene/skene.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{block.place}: {done.stderr}"


def read_jinja(block: Block, _folder: Path, _database: Path) -> None:
    provided = ["user", "name", "feature"]
    found = lint(HTML, block.text, provided, {"feature": sorted(Feature.model_fields)})
    assert not found, f"{block.place}: {found}"


def is_in_the_list(block: Block, _folder: Path, _database: Path) -> None:
    assert why_not_run(f"{block.place.page}: {block.kind}"), f"{block.place}: neither run nor in NOT_RUN"


def asks_who_is_blocked(block: Block, _folder: Path, _database: Path) -> None:
    """Is executed on each database, by a test below."""
    is_run = "skene_entitlements" in block.text or block.place.page == "docs/questions.md"
    assert is_run or why_not_run(f"{block.place.page}: sql"), f"{block.place}: not run"


RULES: dict[str, Rule] = {
    "sh": run_commands,
    "text usage": compare_synopsis,
    "text output": produce_output,
    "text": is_drawing,
    "yaml": validate_file,
    "ts": validate_file,
    "python": run_python,
    "python definitions": load_definitions,
    "python frames": run_frames,
    "jinja": read_jinja,
    "sql": asks_who_is_blocked,
    "js": is_in_the_list,
}
"""By what a block's first line says that it is."""


@pytest.fixture(scope="module")
def product_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of the example project's product, made once for all blocks."""
    file = tmp_path_factory.mktemp("product") / "skene.db"
    product.create(file, 50, datetime(2026, 3, 14, 9))
    return file


AS_A_WHOLE = "docs/tutorial.md"
"""Its blocks follow each other: test_tutorial.py runs them in order."""


@pytest.mark.parametrize(
    "block",
    [pytest.param(block, id=f"{block.place} {block.kind}") for block in blocks() if block.place.page != AS_A_WHOLE],
)
def test_a_code_block_does_what_it_says(block: Block, tmp_path: Path, product_database: Path) -> None:
    rule = RULES.get(block.kind)

    assert rule is not None, f"{block.place}: no rule for a block of the kind {block.kind!r}; there are: {[*RULES]}"
    rule(block, tmp_path, product_database)


def test_nothing_is_in_the_list_of_what_is_not_run_that_no_page_shows() -> None:
    commands = [line for block in blocks() if block.kind == "sh" for line in lines(block)]
    others = [f"{block.place.page}: {block.kind} {block.title}".rstrip() for block in blocks()]

    unused = [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, one) for one in (*commands, *others))]

    assert unused == []


@pytest.mark.parametrize("command", [pytest.param(one, id=f"{one.place} {one.text}") for one in shown()])
def test_a_command_that_a_page_names_exists_with_its_options(command: Shown) -> None:
    wrong = [*faults(command.words)]

    assert wrong == [], f"{command.place}: {command.text}"


def test_each_command_is_shown_with_its_options_once() -> None:
    usages = [named(block)[0] for block in page("docs/cli.md").blocks if block.kind == "text usage"]

    assert sorted(usages[1:]) == sorted(every())


def test_the_helm_values_say_what_the_deployment_says() -> None:
    (block,) = (block for block in blocks() if block.title == "values.yaml")
    values = yaml.safe_load(block.text)
    instance = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text(encoding="utf-8"))
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    queue = values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]

    assert not [*faults(["dagster", "api", "grpc", *deployment["dagsterApiGrpcArgs"]])]
    assert queue["maxConcurrentRuns"] == instance["concurrency"]["runs"]["max_concurrent_runs"]
    assert queue["tagConcurrencyLimits"] == instance["concurrency"]["runs"]["tag_concurrency_limits"]
    assert values["dagsterDaemon"]["runRetries"]["maxRetries"] == instance["run_retries"]["max_retries"]
    pinned = re.findall(r"^dagster-postgres==(\S+)", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert [f"pip install dagster-k8s=={version}" for version in pinned] == [
        found.text for found in page("docs/deploy.md").code if found.text.startswith("pip install")
    ]
    assert values["postgresql"]["postgresqlScheme"] == instance["storage"]["postgres"]["postgres_db"]["scheme"]


def test_the_rules_are_those_that_contributing_lists() -> None:
    (table,) = (table for table in page("CONTRIBUTING.md").tables if table.header[0] == "block")

    listed = {code.partition(" title=")[0].removesuffix(" …") for _, row in table.rows for code in in_code(row[0])}

    assert listed == set(RULES)


def test_the_questions_in_sql_are_answered(engine: Engine) -> None:
    asked = [block.text for block in page("docs/questions.md").blocks if block.kind == "sql"]
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY)"))
    schema.upgrade(engine, Users())
    decided = {"mode": "live", "loop": "win_back", "step": "main", "user_id": 42, "as_of": datetime(2026, 11, 2)}
    decided |= {"decided_at": datetime(2026, 11, 2), "occurrence": "1"}
    with engine.begin() as connection:
        connection.execute(insert(sends), decided | {"send_id": "1", "state": "accepted", "accepted_at": OPEN})
        connection.execute(insert(deferred), decided | {"step": "next", "reason": "cap", "ask_at": OPEN})

        found = [[row[:4] for row in connection.execute(text(one)).all()] for one in asked]

    why, who = found
    assert sorted(why) == [("win_back", "main", "accepted", None), ("win_back", "next", "deferred", "cap")]
    assert [row[:3] for row in who] == [(42, "win_back", "main")]


def test_the_product_finds_who_is_blocked(engine: Engine) -> None:
    (block,) = (block for block in page("docs/loop-format.md").blocks if block.kind == "sql")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY)"))
    schema.upgrade(engine, Users())
    blocked = {
        "mode": "live",
        "loop": "freemium",
        "step": "main",
        "blocked_at": datetime(2026, 3, 1),
        "message": "Stop",
    }
    with engine.begin() as connection:
        connection.execute(insert(entitlements), blocked | {"user_id": 1, "lifted_at": OPEN})
        connection.execute(insert(entitlements), blocked | {"user_id": 2, "lifted_at": datetime(2026, 3, 2)})

        found = [connection.execute(text(block.text.replace("?", ":user")), {"user": user}).all() for user in (1, 2)]

    assert found == [[("Stop",)], []]
