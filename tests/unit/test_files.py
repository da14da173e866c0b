"""Where a project's files are read: regular ones inside of it, in UTF-8, up to a limit."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from skene_dagster.errors import LoopSyntaxError, SettingsError
from skene_dagster.files import LARGEST, MOST_NAMES, names_in, read_text, replacing, shown_path


def refused(file: Path, root: Path) -> str:
    with pytest.raises(LoopSyntaxError) as caught:
        read_text(file, "loops/x.yaml", LoopSyntaxError, root=root)
    return " ".join(str(caught.value).split())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("hidden", encoding="utf-8")
    (tmp_path / "project" / "loops").mkdir(parents=True)
    return tmp_path / "project"


def linked(root: Path, target: str) -> Path:
    file = root / "loops" / "x.yaml"
    file.symlink_to(target)
    return file


def bound(file: Path) -> None:
    before = Path.cwd()
    os.chdir(file.parent)  # a socket's name is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(file.name)
    os.chdir(before)


def sparse(file: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(1 << 40)


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes("a: 1\nb: M\u00fcller\n".encode("latin-1"))

    with pytest.raises(SettingsError, match=r"^skene\.yaml:2\n  The file is not UTF-8 \(byte 9\). Save it as UTF-8\.$"):
        read_text(file, "skene.yaml", SettingsError, root=tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_text(tmp_path / "x.yaml", "x.yaml", SettingsError, root=tmp_path) == "a: 1\n"


def test_a_file_that_is_not_there_is_refused_by_its_name(root: Path) -> None:
    assert refused(root / "loops/x.yaml", root) == "loops/x.yaml The file cannot be read: No such file or directory."


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param("../../secret", "a place outside the project", id="a secret"),
        pytest.param("/dev/zero", "a place outside the project", id="a device"),
        pytest.param("../out/secret", "a place outside the project", id="a secret, through a folder"),
        pytest.param("x.yaml", "cannot be read", id="itself"),
    ],
)
def test_a_link_that_leads_out_is_refused_and_what_it_leads_to_is_not_quoted(
    root: Path, target: str, words: str
) -> None:
    (root / "out").symlink_to("..")

    said = refused(linked(root, target), root)

    assert words in said
    assert "hidden" not in said


def test_a_link_that_stays_inside_is_followed(root: Path) -> None:
    (root / "shared.yaml").write_text("a: 1", encoding="utf-8")

    assert read_text(linked(root, "../shared.yaml"), "x", LoopSyntaxError, root=root) == "a: 1"


def test_a_folder_elsewhere_is_the_bound_of_its_own_files(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "x.yaml"
    file.parent.mkdir()
    file.write_text("a: 1", encoding="utf-8")

    assert read_text(root / ".." / "elsewhere" / "x.yaml", "x", LoopSyntaxError, root=root) == "a: 1"
    file.unlink()
    file.symlink_to("../secret")
    assert "outside the project" in refused(file, root)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(os.mkfifo, "This is a pipe, not a file", id="a pipe, which would be waited for"),
        pytest.param(bound, "This is a socket, not a file", id="a socket"),
        pytest.param(Path.mkdir, "This is a folder, not a file", id="a folder"),
        pytest.param(lambda file: file.write_bytes(b" " * (LARGEST + 1)), "more than 256 KiB", id="a large file"),
        pytest.param(sparse, "more than 256 KiB", id="a sparse file"),
    ],
)
def test_what_is_no_file_is_not_opened(root: Path, make: Callable[[Path], object], words: str) -> None:
    make(root / "loops" / "x.yaml")

    assert words in refused(root / "loops" / "x.yaml", root)


def test_a_file_of_the_largest_size_is_read(root: Path) -> None:
    (root / "x").write_bytes(b"a" * LARGEST)

    assert len(read_text(root / "x", "x", LoopSyntaxError, root=root)) == LARGEST


def test_a_path_with_a_nul_is_nowhere(root: Path) -> None:
    assert "it does not exist" in refused(root / "loops" / "x\0.yaml", root)


def test_a_folder_is_not_listed_without_end(root: Path) -> None:
    for number in range(MOST_NAMES + 5):
        (root / "loops" / str(number)).touch()

    assert len(names_in(root / "loops")) == MOST_NAMES + 1


def test_a_name_is_shown_on_one_line_and_steers_no_terminal(root: Path) -> None:
    assert shown_path(root / "loops" / "a\n\x1b[2J\udcff.yaml", root) == "loops/a\ufffd\ufffd[2J\ufffd.yaml"


def test_a_file_is_replaced_when_all_of_it_is_written_and_by_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_bytes(b"old")

    with replacing(file) as opened:
        opened.write(b"new")
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    with pytest.raises(KeyboardInterrupt):
        _die_halfway(file)
    assert file.read_bytes() == b"new"
    assert [*tmp_path.iterdir()] == [file]


def _die_halfway(file: Path) -> None:
    with replacing(file) as opened:
        opened.write(b"half")
        raise KeyboardInterrupt


def test_a_private_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    for private in (True, False):
        with replacing(tmp_path / str(private), private=private) as opened:
            opened.write(b"x")

    assert (tmp_path / "True").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "False").stat().st_mode & 0o600 == 0o600


def test_what_a_process_left_behind_that_died_is_no_obstacle_and_is_not_written_to(tmp_path: Path) -> None:
    file, elsewhere = tmp_path / "page.html", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"somebody's")
    with replacing(file):
        (draft,) = (one for one in tmp_path.iterdir() if one != elsewhere)
    draft.symlink_to(elsewhere)

    with replacing(file) as opened:
        opened.write(b"ours")

    assert (file.read_bytes(), elsewhere.read_bytes()) == (b"ours", b"somebody's")
    assert not file.is_symlink()
