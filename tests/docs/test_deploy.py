"""The deployment says what is so: commands that exist, variables that somebody reads, files that are there."""

import re
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from dagster._cli import create_dagster_cli
from dagster._core.instance.config import dagster_instance_config
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import create_dagster_webserver_cli

from skene_dagster.cli import main

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "skene"]
PROGRAMS = {
    "skene-dagster": main,
    "dagster": create_dagster_cli(),  # type: ignore[no-untyped-call]
    "dagster-daemon": create_dagster_daemon_cli(),
    "dagster-webserver": create_dagster_webserver_cli(),  # type: ignore[no-untyped-call]
}


def commands() -> list[list[str]]:
    """What the services run, and what tells whether they are well."""
    of_services = [SERVICES[name]["command"] for name in OURS]
    checks = [SERVICES[name].get("healthcheck", {}).get("test", [])[1:] for name in OURS]
    return [*of_services, *(check for check in checks if check and check[0] in PROGRAMS)]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command_exists_with_its_options(command: list[str]) -> None:
    found: click.Command = PROGRAMS[command[0]]
    words = command[1:]
    context = click.Context(found)
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        inner = found.get_command(context, words[0])
        assert inner is not None, words[0]
        found, words = inner, words[1:]
    known = {option for parameter in found.params for option in parameter.opts}

    assert {word for word in words if word.startswith("-")} <= known


def test_each_variable_is_one_that_somebody_reads() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    ours = set(re.findall(r"\b(?:SKENE|RESEND)_\w+", text))
    storage = set(re.findall(r"env: (\w+)", (DEPLOY / "dagster.yaml").read_text(encoding="utf-8")))
    in_image = set(re.findall(r"\b(\w+)=", (DEPLOY / "Dockerfile").read_text(encoding="utf-8")))

    given = {variable for name in OURS for variable in SERVICES[name].get("environment", {})}
    of_compose = {key.removeprefix("${").partition(":")[0] for key in re.findall(r"\$\{\w+", str(SERVICES))}

    assert given <= ours | storage
    assert storage <= given | in_image
    # The image is the project, and its folder the working directory.
    assert ours - {"SKENE_PROJECT"} <= given
    assert of_compose <= ours | {"DAGSTER_POSTGRES_PASSWORD", "SKENE_PUBLIC_DATABASE_URL"}


def test_dagsters_instance_is_configured_as_the_projects_own_but_for_its_storage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HOST", "USER", "PASSWORD", "DB"):
        monkeypatch.setenv(f"DAGSTER_POSTGRES_{name}", "x")
    monkeypatch.setenv("DAGSTER_FILES", str(tmp_path))

    config, _ = dagster_instance_config(str(DEPLOY))
    own, _ = dagster_instance_config(str(ROOT))

    # SQLAlchemy 2.1, 2026-11: without the driver it looks for psycopg 3, which is not in the image.
    assert config["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"
    where = {"storage", "local_artifact_storage", "compute_logs"}
    assert {name: value for name, value in config.items() if name not in where} == dict(own)


def test_the_code_server_is_where_its_address_says() -> None:
    (location,) = yaml.safe_load((DEPLOY / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    server = location["grpc_server"]

    assert server["host"] in SERVICES
    assert str(server["port"]) in SERVICES[server["host"]]["command"]


def test_the_image_copies_only_what_is_there_and_not_left_out() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [word for line in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE) for word in line.split()[:-1]]
    let_in = set((DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines())

    assert all((ROOT / name).exists() for name in copied)
    assert {f"!{name}" for name in copied} <= let_in


WORKFLOW: dict[Any, Any] = yaml.safe_load((DEPLOY / "github" / "loops.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["diff"]["steps"]


def test_the_workflow_of_a_pull_request_says_who_comes_in_and_goes_out() -> None:
    # YAML 1.1 takes the word `on` for true.
    (paths,) = (WORKFLOW[True]["pull_request"][name] for name in ("paths",))
    ran = "\n".join(step.get("run", "") for step in STEPS)

    assert paths == ["loops/**", "templates/**", "skene.yaml"]
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert re.search(r"skene-dagster diff .*> diff\.txt", ran)
    assert 'gh pr comment "$NUMBER" --edit-last --create-if-none --body-file comment.md' in ran
    # The base has to be there to be compared with.
    assert STEPS[0]["with"] == {"fetch-depth": 0}


def test_what_the_workflow_runs_is_a_shell_script_of_commands_that_exist(tmp_path: Path) -> None:
    scripts = [step["run"] for step in STEPS if "run" in step]
    for script in scripts:
        (tmp_path / "script.sh").write_text(script, encoding="utf-8")
        subprocess.run(["bash", "-n", str(tmp_path / "script.sh")], check=True)
    ours = [line for script in scripts for line in re.findall(r"skene-dagster (\w[\w-]*)", script)]

    assert [name for name in ours if main.get_command(click.Context(main), name) is None] == []
    assert sorted(ours) == ["diff", "validate"]


def test_nothing_of_a_pull_request_is_written_into_the_workflows_scripts() -> None:
    # A branch's name may be a command: what GitHub fills in stands in variables.
    assert [step["run"] for step in STEPS if "${{" in step.get("run", "")] == []
    assert set(re.findall(r"secrets\.(\w+)", str(WORKFLOW))) == {"SKENE_DATABASE_URL"}
