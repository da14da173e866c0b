"""What fails in one file, and is none of our errors, is that file's fault everywhere; the others go on."""

import logging
import os
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from forked import completed, program
from small_project import MJML, RETENTION, TEXT, write_project, write_users

from skene_dagster import boundary
from skene_dagster.cli import main
from skene_dagster.errors import InternalError, LoopInvalid

# Nothing of ours fails on purpose; so something that ours relies on is made to, on a file that is right.
FAILS = """\
import sys
from skene_dagster.loops.planning.loop import plan_loop

def failing(loop, *args, planned=plan_loop):
    if loop.name == "unlucky":
        raise RecursionError("with a secret of the file")
    return planned(loop, *args)

import skene_dagster.project
skene_dagster.project.plan_loop = failing
"""
UNLUCKY = f"name: unlucky\n{RETENTION}"


def ran(root: Path, code: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return completed(program, FAILS + code, cwd=root, env={**os.environ, "SKENE_PROJECT": str(root), **environ})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path, {"good.yaml": RETENTION, "unlucky.yaml": UNLUCKY})
    write_users(root, dormant=3)
    return root


def test_anything_unforeseen_becomes_an_error_of_its_file() -> None:
    with pytest.raises(InternalError) as caught, boundary.around("loops/x.yaml"):
        raise MemoryError("a secret")

    assert str(caught.value).startswith("loops/x.yaml\n  skene-dagster failed on this file (MemoryError)")
    assert "a secret" not in str(caught.value)


def test_an_error_of_ours_and_the_end_of_the_process_pass() -> None:
    for passing in (LoopInvalid("wrong"), KeyboardInterrupt(), SystemExit(3)):
        with pytest.raises(type(passing)), boundary.around("loops/x.yaml"):
            raise passing


def test_its_stack_is_in_the_log_for_who_asks(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(InternalError), boundary.around("loops/x.yaml"):
        _ = 1 // 0

    assert "ZeroDivisionError" in caplog.text


def test_the_command_line_says_whose_fault_it_is_and_shows_the_others(root: Path) -> None:
    done = ran(root, "sys.argv = ['skene-dagster', 'validate']\nfrom skene_dagster.cli import main\nmain()")

    assert done.returncode == 1
    assert re.search(r"^ok +retention +loops/good.yaml", done.stdout, re.MULTILINE)
    assert re.search(
        r"^error +loops/unlucky.yaml\n +skene-dagster failed on this file \(Recurs", done.stdout, re.MULTILINE
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_the_stack_is_shown_to_who_asks_for_it(root: Path) -> None:
    done = ran(
        root, "sys.argv = ['skene-dagster', '--traceback', 'validate']\nfrom skene_dagster.cli import main\nmain()"
    )

    assert "Traceback" in done.stderr
    assert "RecursionError" in done.stderr


def test_the_good_loop_can_be_previewed_beside_it(root: Path) -> None:
    done = ran(root, "sys.argv = ['skene-dagster', 'preview', 'retention']\nfrom skene_dagster.cli import main\nmain()")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 users" in done.stdout


def test_the_code_location_loads_and_shows_what_is_broken(root: Path) -> None:
    done = ran(
        root,
        "from skene_dagster.definitions import defs\nimport dagster as dg\n"
        "dg.Definitions.validate_loadable(defs)\n"
        "print(sorted(job.name for job in defs.resolve_all_job_defs()))\n",
    )

    assert done.returncode == 0, done.stderr
    assert "'retention'" in done.stdout
    assert "'unlucky'" in done.stdout
    assert "loops/unlucky.yaml is not loaded" in done.stderr


def test_a_loop_that_cannot_be_described_hides_no_other(root: Path) -> None:
    done = completed(
        program,
        """\
from skene_dagster.compiler import assets

def failing(plan, step, of=assets.freshness):
    if plan.name == "unlucky":
        raise RecursionError("with a secret of the file")
    return of(plan, step)

assets.freshness = failing
from skene_dagster.definitions import defs
import dagster as dg
dg.Definitions.validate_loadable(defs)
print(sorted(spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()))
""",
        cwd=root,
        env={**os.environ, "SKENE_PROJECT": str(root)},
    )

    assert done.returncode == 0, done.stderr
    assert "'skene/retention/main/sends'" in done.stdout
    assert "'skene/broken/unlucky'" in done.stdout
    assert "'skene/unlucky/" not in done.stdout
    assert "loops/unlucky.yaml is not loaded" in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("mysql://u:Sup3r@S3cret/w@host/db", id="a password that is not encoded"),
        pytest.param("mysql://u@127.0.0.1:abc/db", id="no number for a port"),
        pytest.param("mysql://u@[::1/db", id="half a host"),
        pytest.param("mysql://u@127.0.0.1/db?ssl_ca=/nope", id="no certificate"),
        pytest.param("mysql://u@127.0.0.1/db?foo=x", id="an unknown parameter"),
        pytest.param("hunter2", id="no URL"),
    ],
)
def test_the_code_location_loads_whatever_the_url_is(root: Path, url: str) -> None:
    done = ran(
        root,
        "from skene_dagster.definitions import defs\nimport dagster as dg\ndg.Definitions.validate_loadable(defs)\n",
        SKENE_DATABASE_URL=url,
    )

    assert done.returncode == 0, done.stderr
    assert "Nothing is loaded.\nSKENE_DATABASE_URL " in done.stderr
    for part in ("Sup3r", "S3cret", "hunter2"):
        assert part not in done.stdout + done.stderr


def test_one_broken_template_breaks_only_the_loops_that_use_it(tmp_path: Path) -> None:
    other = UNLUCKY.replace("re_engagement", "other")
    root = write_project(tmp_path, {"good.yaml": RETENTION, "bad.yaml": other})
    (root / "templates" / "other.mjml").write_text(MJML.replace("Hello", "<mj-section>" * 5_000), encoding="utf-8")
    (root / "templates" / "other.txt").write_text(TEXT, encoding="utf-8")

    result = CliRunner().invoke(main, ["--project", str(root), "validate"])

    assert result.exit_code == 1
    assert re.search(r"^ok +retention +loops/good.yaml", result.output, re.MULTILINE)
    assert re.search(r"^error +templates/other.mjml:5", result.output, re.MULTILINE)
