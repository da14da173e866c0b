"""Files that are none: pipes, devices, links that lead out, and names that no one would give."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from bad_loops import YAML
from hostile import Content, Hostile, named
from small_project import MJML, SETTINGS, TEXT

SECRET = "the-secret-of-another"
OUTSIDE = "../outside/secret.txt"
OUT = "is a link to a place outside"
PLACES = {
    "loops/bad.yaml": "loops/bad.yaml",
    "loops/bad.ts": "loops/bad.ts",
    "loops/bad.py": "loops/bad.py",
    "templates/bad.mjml": "templates/bad.mjml",
    "templates/bad.txt": "templates/bad.txt",
    "skene.yaml": "skene.yaml",
}


def _link(target: str) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        file.unlink(missing_ok=True)
        file.symlink_to(target)

    return make


def _pipe(file: Path) -> None:
    file.unlink(missing_ok=True)
    os.mkfifo(file)


def _socket(file: Path) -> None:
    file.unlink(missing_ok=True)
    here = Path.cwd()
    os.chdir(file.parent)  # a socket's name is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(file.name)
    finally:
        os.chdir(here)


def _sparse(file: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(200 * 1024**2)


def _large(file: Path) -> None:
    file.write_bytes(b"# " + b"a" * 300_000)


def _folder(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.mkdir()


KINDS: dict[str, tuple[Content, str]] = {
    "a pipe": (_pipe, "This is a pipe, not a file"),
    "a socket": (_socket, "This is a socket, not a file"),
    "a link to a device": (_link("/dev/zero"), OUT),
    "a link to the terminal": (_link("/dev/tty"), ""),
    "a link to a pipe inside": (_link("../pipe"), ""),
    "a link to a secret": (_link(f"../{OUTSIDE}"), OUT),
    "a link through a folder": (_link("../way_out/secret.txt"), OUT),
    "a link to what a process is": (_link("/proc/self/environ"), OUT),
    "a link to itself": (_link("bad.self"), ""),
    "a link to nowhere": (_link("nowhere"), "cannot be read"),
    "a long link": (_link("a/../" * 500 + "x"), ""),
    "a sparse file of 200 MB": (_sparse, "has more than 256 KiB"),
    "a file of 300 kB": (_large, "has more than 256 KiB"),
}


def _kinds() -> Iterator[tuple[str, Hostile]]:
    for place, at in PLACES.items():
        for kind, (content, says) in KINDS.items():
            files: dict[str, Content] = {
                OUTSIDE: SECRET,
                "pipe": _pipe,
                "way_out": _link("../outside"),
                **_with_template(place),
            }
            if kind == "a link to itself":
                files[place] = _link(Path(place).name)
            elif place == "skene.yaml" and kind in _FROM_ROOT:
                files[place] = _link(_FROM_ROOT[kind])
            else:
                files[place] = content
            yield (
                f"{place}: {kind}",
                Hostile(files, at, says, secrets=(SECRET,), hides_all=place == "skene.yaml", renders=True),
            )


_FROM_ROOT = {
    "a link to a pipe inside": "pipe",
    "a link to a secret": OUTSIDE,
    "a link through a folder": "way_out/secret.txt",
}


def _with_template(place: str) -> dict[str, Content]:
    if not place.startswith("templates/"):
        return {}
    loop = YAML.replace('"re_engagement"', '"bad"')
    return {"loops/bad.yaml": loop, "templates/bad.mjml": MJML, "templates/bad.txt": TEXT}


def _names() -> Iterator[tuple[str, Hostile]]:
    wrong = "type: 1\n"
    for name, file in {
        "a name with a line break": "loops/a\nb.yaml",
        "a name with quotes": "loops/a'\"`.yaml",
        "a name with brackets": "loops/[bold red]x.yaml",
        "a name that steers a terminal": "loops/\x1b[2J.yaml",
        "a name from right to left": "loops/\u202egpj.yaml",
        "a name of 250 bytes": "loops/" + "a" * 245 + ".yaml",
        "a name of blanks": "loops/   .yaml",
        "a name that is an ending": "loops/a.yaml.py.ts.yaml",
        "a name in capitals": "loops/BAD.YAML",
    }.items():
        yield f"loops: {name}", Hostile({file: wrong}, says="1 is not a type")
    yield (
        "loops: a name that is not UTF-8",
        Hostile({os.fsdecode(b"loops/\xff\xfe.yaml"): wrong}, says="1 is not a type"),
    )
    yield "loops: a folder that is named as a file", Hostile({"loops/bad.yaml": _folder})
    yield (
        "templates: a folder that is named as a file",
        Hostile(
            {
                "loops/bad.yaml": YAML.replace('"re_engagement"', '"bad"'),
                "templates/bad.mjml": _folder,
                "templates/bad.txt": TEXT,
            },
            "templates/bad.mjml",
            "This is a folder, not a file",
        ),
    )
    yield (
        "templates: a name of 5,000 letters",
        Hostile({"loops/bad.yaml": YAML.replace('"re_engagement"', f'"{"a" * 5000}"')}, "loops/bad.yaml:16"),
    )


def _folders() -> Iterator[tuple[str, Hostile]]:
    def many(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        for number in range(10_001):
            (folder / f"{number}.md").touch()

    for field in ("loops", "templates", "outbox"):
        for name, value in {
            "NUL": '"a\\0b"',
            "empty": '""',
            "5,000 letters": "a" * 5_000,
            "a line break": '"a\\nb"',
            "a pipe": "pipe",
            "a device": "/dev/zero",
            "a link out": "way_out",
            "a file": "skene.yaml",
            "nowhere": "nowhere/at/all",
            "a folder of all": "/",
        }.items():
            files: dict[str, Content] = {
                OUTSIDE: SECRET,
                "../outside/secret.yaml": SECRET,
                "../outside/re_engagement.mjml": SECRET,
                "../outside/re_engagement.txt": SECRET,
                "pipe": _pipe,
                "way_out": _link("../outside"),
                "skene.yaml": SETTINGS + f"{field}: {value}\n",
            }
            yield f"skene.yaml: {field} is {name}", Hostile(files, hides_all=True, secrets=(SECRET,))
    yield (
        "loops: 10,001 files",
        Hostile(
            {"skene.yaml": SETTINGS + "loops: many\n", "many": many},
            "many",
            "holds more than 10,000 files",
            hides_all=True,
        ),
    )


FILES = named(_kinds()) | named(_names()) | named(_folders())
