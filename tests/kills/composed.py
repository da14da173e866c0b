"""What `deploy/compose.yaml` names, without containers: its commands, variables, files and health, read from it.

A container has files of its own, an address of its own, and processes that end with it. Here a service has a folder
with what `deploy/Dockerfile` puts into the image, a loopback address (all of 127.0.0.0/8 is there, on Linux) on which
its ports are those of the file, and a session. The image's Python is this one, and Postgres is Debian's.
"""

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from dagster_dev import processes_of
from scene import PATIENCE, REPOSITORY
from servers import WHERE_SERVERS_ARE, Absent

DEPLOY = REPOSITORY / "deploy"
EVERY = 0.1
"""Seconds between two looks."""


@dataclass
class Image:
    """What a Dockerfile makes of the repository: its files, its variables, the folders that its user may write to."""

    workdir: str = "/"
    variables: dict[str, str] = field(default_factory=dict)
    copied: list[tuple[Path, str]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, dockerfile: Path) -> "Image":
        image = cls()
        lines = dockerfile.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        for keyword, _, rest in (line.partition(" ") for line in lines if not line.startswith("#")):
            words = shlex.split(rest)
            match keyword:
                case "WORKDIR":
                    image.workdir = words[0]
                case "ENV":
                    image.variables |= dict(word.split("=", 1) for word in words)
                case "COPY":
                    *sources, target = words
                    image.copied += [(REPOSITORY / source, image._target(source, target)) for source in sources]
                case "RUN":
                    image.folders += [word for word in words if word.startswith("/")]
        return image

    def _target(self, source: str, target: str) -> str:
        name = f"{target}/{Path(source).name}" if target.endswith("/") else target
        return os.path.normpath(Path(self.workdir, name))

    def unpack(self, root: Path) -> None:
        """Make its files below a folder; but for the package, which is installed here."""
        for folder in (*self.folders, self.workdir):
            below(root, folder).mkdir(parents=True, exist_ok=True)
        for source, target in self.copied:
            if target.startswith(self.workdir) or not target.startswith("/build"):
                (shutil.copytree if source.is_dir() else shutil.copy)(source, below(root, target))


@dataclass
class Service:
    name: str
    described: Mapping[str, Any]
    root: Path
    address: str
    process: "subprocess.Popen[bytes] | None" = None
    check: "subprocess.Popen[bytes] | None" = None
    is_healthy: bool = False

    def url(self) -> str:
        """Where the port that it publishes is, on its own address."""
        (published,) = self.described["ports"]
        return f"http://{self.address}:{published.rpartition(':')[2]}"

    def output(self) -> str:
        return (self.root / "output").read_text(encoding="utf-8", errors="replace")


@dataclass
class Composed:
    """The services of some profiles, started and stopped as `docker compose` does."""

    folder: Path
    given: Mapping[str, str]
    """What stands in `.env`."""
    services: dict[str, Service]
    image: Image
    postgres: "Postgres"

    def up(self, *, without: str | None = None) -> None:
        """Start each that is not started, as soon as what it depends on is as it should be; wait until all are well."""
        asked = [service for service in self.services.values() if service.name != without]
        self.until(lambda: all([self._is_up(service) for service in asked]))  # noqa: C419 - all of them are looked at

    def start(self, name: str) -> None:
        service = self.services[name]
        service.is_healthy = False
        if service.described["image"].startswith("postgres:"):
            command = self.postgres.prepare(service.address, self._environment(service))
        else:
            command = self._translated(service, service.described["command"])
        service.process = self._begin(service, command)

    def kill(self, name: str) -> None:
        """SIGKILL all of a service, as the end of a container does."""
        service = self.services[name]
        sessions = [process for process in (service.check, service.process) if process is not None]
        for process in sessions:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.until(lambda: not any(processes_of(process.pid) for process in sessions))
        service.check = service.process = None

    def until_well(self, name: str) -> None:
        self.until(lambda: self._is_well(self.services[name]))

    def until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < deadline, self.output()
            time.sleep(EVERY)

    def down(self) -> None:
        """Leave nothing behind."""
        for name, service in reversed(self.services.items()):
            if service.process is not None and service.described["image"].startswith("postgres:"):
                # Each of its processes has a session of its own: it has to end them itself, and does so at once.
                service.process.send_signal(signal.SIGQUIT)
                service.process.wait(PATIENCE)
            self.kill(name)

    def output(self) -> str:
        """Say last what each service said."""
        return "\n".join(f"--- {name}\n{one.output()[-3000:]}" for name, one in self.services.items() if one.process)

    def written(self) -> set[str]:
        """List what is in the containers, the volumes aside, and is not in the image."""
        kept = {target for _, target in self.image.copied}
        found = set()
        for service in self._ours():
            for folder, _, files in os.walk(service.root / "files"):
                at = "/" + os.path.relpath(folder, service.root / "files")
                if not any(f"{at}/".startswith(f"{one}/") for one in (*kept, "/tmp")):
                    found |= {f"{service.name}: {at}/{file}" for file in files if f"{at}/{file}" not in kept}
        return found

    def prepare(self) -> None:
        """Unpack the image for each, with its volumes in their places, and the names of others as their addresses."""
        for service in self.services.values():
            files = service.root / "files"
            files.mkdir(parents=True)
            (files / "tmp").mkdir()
            (service.root / "output").touch()
        for service in self._ours():
            files = service.root / "files"
            self.image.unpack(files)
            for volume in service.described.get("volumes", []):
                name, _, at = volume.partition(":")
                (self.folder / "volumes" / name).mkdir(parents=True, exist_ok=True)
                below(files, at).rmdir()
                below(files, at).symlink_to(self.folder / "volumes" / name)
            for workspace in files.rglob("workspace.yaml"):
                # Its hosts are names of services.
                text = workspace.read_text(encoding="utf-8")
                workspace.write_text(re.sub(r"(?<=host: )\S+", self._host, text), encoding="utf-8")

    def _ours(self) -> list[Service]:
        return [service for service in self.services.values() if "build" in service.described]

    def _host(self, name: "re.Match[str]") -> str:
        return self.services[name[0]].address

    def _begin(self, service: Service, command: list[str]) -> "subprocess.Popen[bytes]":
        is_postgres = service.described["image"].startswith("postgres:")
        with (service.root / "output").open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self.postgres.folder if is_postgres else below(service.root / "files", self.image.workdir),
                env=self._environment(service),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=self.postgres.user if is_postgres else None,
            )

    def _environment(self, service: Service) -> dict[str, str]:
        """Give it what it has in its container, and nothing of what this process has."""
        path = os.pathsep.join([str(Path(sys.executable).parent), *self.postgres.path, WHERE_SERVERS_ARE])
        kept = {"PATH": path, "HOME": str(service.root), "TMPDIR": str(service.root / "files/tmp"), "LANG": "C.UTF-8"}
        here = {
            name: str(below(service.root / "files", value)) if value.startswith("/") else value
            for name, value in self.image.variables.items()
        }
        return kept | here | {name: self._found(value) for name, value in self._named(service).items()}

    def _named(self, service: Service) -> dict[str, str]:
        """Fill in its variables: one without a value is passed on, where it is given."""
        named = service.described.get("environment", {})
        passed = {name: self.given.get(name) if value is None else self._filled(value) for name, value in named.items()}
        return {name: value for name, value in passed.items() if value is not None}

    def _filled(self, value: str) -> str:
        def fill(found: "re.Match[str]") -> str:
            name, kind, rest = found.groups()
            if kind == ":?":
                assert self.given.get(name), f"{name}: {rest}"
            return self.given.get(name) or (rest if kind == ":-" else "")

        return re.sub(r"\$\{(\w+)(?:(:[?-])([^}]*))?\}", fill, value)

    def _found(self, value: str) -> str:
        return self.services[value].address if value in self.services else value

    def _translated(self, service: Service, command: list[str]) -> list[str]:
        """Say where the folders of the container are, and which address it has to itself."""
        local = re.compile(r"\b(?:0\.0\.0\.0|127\.0\.0\.1)\b")
        words = [local.sub(service.address, word) for word in command]
        return [str(below(service.root / "files", word)) if word.startswith("/") else word for word in words]

    def _is_up(self, service: Service) -> bool:
        if service.process is None:
            if all(self._is_met(*one) for one in service.described.get("depends_on", {}).items()):
                self.start(service.name)
            return False
        return self._is_well(service)

    def _is_met(self, name: str, asked: Mapping[str, Any]) -> bool:
        if name not in self.services:
            assert asked.get("required") is False, name
            return True
        service = self.services[name]
        if service.process is None:
            return False
        match asked["condition"]:
            case "service_completed_successfully":
                return service.process.poll() == 0
            case "service_healthy":
                return self._is_well(service)
            case other:
                raise AssertionError(other)

    def _is_well(self, service: Service) -> bool:
        """Look at it as its health check does; one that ends with success, where that is all it is for."""
        if service.process is None:
            return False
        ended = service.process.poll()
        is_once = service.described.get("restart") == "no"
        assert ended in ({None, 0} if is_once else {None}), f"{service.name} ended with {ended}\n{service.output()}"
        if is_once:
            return ended == 0
        if not service.is_healthy and (service.check is None or service.check.poll() is not None):
            service.is_healthy = service.check is not None and service.check.returncode == 0
            if not service.is_healthy:
                service.check = self._begin(service, self._check_of(service))
        return service.is_healthy

    def _check_of(self, service: Service) -> list[str]:
        kind, *command = service.described["healthcheck"]["test"]
        assert kind == "CMD"
        # These two look on the container's own address when they are told no other.
        alone = {"pg_isready", "grpc-health-check"} & {*command}
        return [*self._translated(service, command), *(["-h", service.address] if alone else [])]


class Postgres:
    """Debian's, in a folder of its own user's: it refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda at: int(at.parent.name), reverse=True)
        self.path = [str(place) for place in places[:1]]
        where = os.pathsep.join([*self.path, WHERE_SERVERS_ARE])
        self._programs = {name: shutil.which(name, path=where) for name in ("initdb", "postgres", "pg_isready")}
        if None in self._programs.values():
            raise Absent("there is no initdb, postgres or pg_isready (Debian: apt install postgresql)")
        self.user = ("postgres" if "postgres" in _users() else "nobody") if os.geteuid() == 0 else None
        self.folder = folder
        if self.user:
            shutil.chown(folder, self.user)

    def prepare(self, address: str, environment: Mapping[str, str]) -> list[str]:
        """Do what the image does at its first start; return the command that starts it."""
        initdb, server = str(self._programs["initdb"]), str(self._programs["postgres"])
        data = self.folder / "data"
        if not data.exists():
            password = self.folder / "password"
            password.write_text(environment["POSTGRES_PASSWORD"], encoding="utf-8")
            options = ["--username", environment["POSTGRES_USER"], "--auth", "scram-sha-256", "--pwfile", str(password)]
            self._do([initdb, "-D", str(data), "-E", "UTF8", "--locale", "C", "--no-sync", *options])
            create = f"CREATE DATABASE {environment['POSTGRES_DB']};\n"
            self._do([server, "--single", "-D", str(data), "postgres"], create)
        options = [f"listen_addresses={address}", "unix_socket_directories=", "fsync=off", "shared_buffers=32MB"]
        return [server, "-D", str(data), *(word for option in options for word in ("-c", option))]

    def _do(self, command: list[str], said: str = "") -> None:
        done = subprocess.run(
            command, input=said, cwd=self.folder, text=True, capture_output=True, check=False, user=self.user
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def composed(folder: Path, profiles: set[str], given: Mapping[str, str]) -> Iterator[Composed]:
    """Prepare the services of the file that need no profile, or one of these; end them all with the block."""
    described = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    wanted = {name: one for name, one in described.items() if set(one.get("profiles", profiles)) & profiles}
    network = f"127.{random.SystemRandom().randint(16, 254)}.{random.SystemRandom().randint(0, 254)}"
    services = {
        name: Service(name, one, folder / name, f"{network}.{number}")
        for number, (name, one) in enumerate(wanted.items(), start=1)
    }
    # Not among pytest's folders, which no other user may enter.
    at = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    with tempfile.TemporaryDirectory(prefix="skene", dir=at, ignore_cleanup_errors=True) as data:
        running = Composed(folder, given, services, Image.of(DEPLOY / "Dockerfile"), Postgres(Path(data)))
        running.prepare()
        try:
            yield running
        finally:
            running.down()


def below(root: Path, path: str) -> Path:
    """Find a container's path in the folder that stands for its files."""
    return root / path.lstrip("/")


def _users() -> set[str]:
    import pwd  # noqa: PLC0415 - Windows has none

    return {one.pw_name for one in pwd.getpwall()}
