import email
import json
import multiprocessing
import re
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.policy import default
from pathlib import Path

import pytest
from contract import Received, ids_of, message, read

from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.providers.base import Fatal, Unknown
from skene_dagster.delivery.providers.json_emails import freeze
from skene_dagster.delivery.providers.outbox import page
from skene_dagster.delivery.providers.outbox.erasing import erase
from skene_dagster.delivery.providers.outbox.provider import OutboxProvider
from skene_dagster.errors import StoreError

NOON = datetime(2026, 11, 23, 12)


class OutboxWorld:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOON
        self.provider = OutboxProvider(folder, lambda: self.now)

    def received(self) -> list[Received]:
        return [read(file.read_bytes()) for file in sorted(self.folder.glob("*.eml"))]


@pytest.fixture
def world(tmp_path: Path) -> OutboxWorld:
    return OutboxWorld(tmp_path / "outbox")


def listed(folder: Path) -> list[dict[str, object]]:
    page = (folder / "index.html").read_text(encoding="utf-8")
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    emails: list[dict[str, object]] = json.loads(found[1])["emails"]
    return emails


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_an_email_is_dated_by_the_clock_and_named_by_its_send(world: OutboxWorld) -> None:
    [identity] = ids_of(world.provider.send_batch(freeze([message(7)]), "key-1"))

    mail = email.message_from_bytes((world.folder / f"{identity}.eml").read_bytes(), policy=default)
    assert mail["Date"] == "Mon, 23 Nov 2026 12:00:00 +0000"
    assert mail["Message-ID"] == f"<{7:032x}@outbox.invalid>"


def test_a_long_unsubscribe_address_stays_one_readable_line(world: OutboxWorld) -> None:
    [identity] = ids_of(world.provider.send_batch(freeze([message(7)]), "key-1"))

    raw = (world.folder / f"{identity}.eml").read_bytes()
    assert f"List-Unsubscribe: <https://example.com/unsubscribe/{'long-' * 30}7>\r\n".encode() in raw


def test_a_batch_sent_again_later_changes_no_file(world: OutboxWorld) -> None:
    world.provider.send_batch(freeze([message(1), message(2)]), "key-1")
    before = files(world.folder)
    world.now += timedelta(hours=1)

    world.provider.send_batch(freeze([message(1), message(2)]), "key-1")

    assert files(world.folder) == before


def test_a_batch_that_was_cut_off_is_completed_by_the_next_attempt(world: OutboxWorld) -> None:
    whole = OutboxWorld(world.folder.with_name("whole"))
    batch = [message(number) for number in range(5)]
    ids = ids_of(whole.provider.send_batch(freeze(batch), "key-1"))
    world.provider.send_batch(freeze(batch), "key-1")
    # What a process that died after two emails leaves: no record, no page.
    (world.folder / "index.html").unlink()
    [record] = (world.folder / "batches").iterdir()
    record.unlink()
    for identity in ids[2:]:
        (world.folder / f"{identity}.eml").unlink()

    again = ids_of(world.provider.send_batch(freeze(batch), "key-1"))

    assert again == ids
    assert files(world.folder) == files(whole.folder)


def test_no_draft_is_left_behind(world: OutboxWorld) -> None:
    world.provider.send_batch(freeze([message(1)]), "key-1")

    assert [name for name in files(world.folder) if name.endswith(".tmp")] == []


def test_the_page_lists_the_newest_first(world: OutboxWorld) -> None:
    world.provider.send_batch(freeze([message(1)]), "key-1")
    world.now += timedelta(days=1)
    world.provider.send_batch(freeze([message(2)]), "key-2")

    assert [row["to"] for row in listed(world.folder)] == ["user2@example.com", "user1@example.com"]
    assert listed(world.folder)[0]["at"] == "2026-11-24T12:00:00"


def test_the_page_says_how_many_it_does_not_list(world: OutboxWorld) -> None:
    for number in range(6):
        world.provider.send_batch(freeze([message(100 * number + n) for n in range(100)]), f"key-{number}")

    shown = (world.folder / "index.html").read_text(encoding="utf-8")
    assert len(listed(world.folder)) == page.LISTED == 500
    assert '{"total": 600, ' in shown


def test_an_email_that_was_deleted_leaves_the_page(world: OutboxWorld) -> None:
    [identity] = ids_of(world.provider.send_batch(freeze([message(1)]), "key-1"))
    (world.folder / f"{identity}.eml").unlink()

    world.provider.send_batch(freeze([message(2)]), "key-2")

    assert [row["to"] for row in listed(world.folder)] == ["user2@example.com"]


def test_hostile_text_cannot_leave_its_place(world: OutboxWorld) -> None:
    hostile = "</script><script>alert(1)</script>"

    [identity] = ids_of(world.provider.send_batch(freeze([message(1, subject=hostile, text=hostile)]), "key-1"))

    page = (world.folder / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert [row["subject"] for row in listed(world.folder)] == [hostile]
    assert "<script" not in (world.folder / "view" / f"{identity}.text.html").read_text(encoding="utf-8")


def test_the_email_is_shown_without_scripts(world: OutboxWorld) -> None:
    [identity] = ids_of(world.provider.send_batch(freeze([message(1)]), "key-1"))

    shown = (world.folder / "view" / f"{identity}.html").read_text(encoding="utf-8")
    page = (world.folder / "index.html").read_text(encoding="utf-8")
    assert "script-src 'none'" in shown.partition("<title>")[0]
    [frame] = re.findall(r"<iframe[^>]*>", page)
    assert "sandbox=" in frame
    assert "allow-scripts" not in frame


def test_a_folder_that_cannot_be_made_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")

    answer = OutboxProvider(tmp_path / "file" / "outbox", lambda: NOON).send_batch(freeze([message(1)]), "key-1")

    assert isinstance(answer, Fatal)


def test_a_page_that_cannot_be_written_is_no_answer(world: OutboxWorld) -> None:
    (world.folder / "index.html").mkdir(parents=True)

    assert isinstance(world.provider.send_batch(freeze([message(1)]), "key-1"), Unknown)


def _send(folder: Path, batches: dict[str, list[Message]]) -> None:
    provider = OutboxProvider(folder, lambda: NOON)
    for key, batch in batches.items():
        provider.send_batch(freeze(batch), key)


def test_two_processes_at_once_leave_a_page_with_the_emails_of_both(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    batches = {f"key-{b}": [message(10 * b + n) for n in range(5)] for b in range(14)}
    keys = list(batches)
    # The first two batches are sent by both, of the others each sends six.
    shares = [keys[:8], keys[:2] + keys[8:]]
    processes = [spawn.Process(target=_send, args=(tmp_path, {key: batches[key] for key in share})) for share in shares]

    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0]
    # 14 batches of 5 emails.
    assert len(list(tmp_path.glob("*.eml"))) == 70
    assert len(listed(tmp_path)) == 70


def test_whoever_writes_the_page_last_has_seen_every_batch(tmp_path: Path) -> None:
    barrier = threading.Barrier(2)

    def send(name: int) -> None:
        provider = OutboxProvider(tmp_path, lambda: NOON)
        for number in range(30):
            barrier.wait()
            provider.send_batch(freeze([message(1000 * name + number)]), f"key-{name}-{number}")
            barrier.wait()
            counts.append((len(listed(tmp_path)), 2 * number + 2))

    counts: list[tuple[int, int]] = []
    threads = [threading.Thread(target=send, args=(name,)) for name in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(counts) == 60
    assert [count for count, expected in counts if count != expected] == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Acme, Inc.", id="a comma"),
        pytest.param("Acme: News", id="a colon"),
        pytest.param('Acme "X" \\ Sons', id="a quote and a backslash"),
        pytest.param("Ørbit, Ltd (Århus)", id="letters outside ASCII, and a comma"),
        pytest.param("مريم", id="Arabic"),
        pytest.param("Ö" * 150, id="a long name"),
    ],
)
def test_a_senders_name_arrives_whole(world: OutboxWorld, name: str) -> None:
    header = str(Address(name, addr_spec="hello@example.com"))

    ids_of(world.provider.send_batch(freeze([replace(message(7), sender=header, reply_to=header)]), "key-1"))

    [file] = world.folder.glob("*.eml")
    mail = email.message_from_bytes(file.read_bytes(), policy=default)
    for field in ("From", "Reply-To"):
        [read] = mail[field].addresses
        assert (read.display_name, read.addr_spec) == (name, "hello@example.com")
    [row] = listed(world.folder)
    assert row["from"] == header


def everything_in(folder: Path) -> str:
    return "".join(f"{name}\n{content.decode()}" for name, content in files(folder).items())


@pytest.mark.parametrize("by", ["send", "address"])
def test_an_email_that_is_erased_is_in_no_file_and_does_not_come_back_with_its_batch(
    world: OutboxWorld, by: str
) -> None:
    batch = freeze([message(1), replace(message(2), to="erika@example.com", subject="Hello Erika", html="Erika")])
    ids = ids_of(world.provider.send_batch(batch, "key-1"))

    wanted = ([message(2).send_id], []) if by == "send" else ([], ["Erika@Example.com"])
    assert erase(world.folder, *wanted) == 1
    assert erase(world.folder, *wanted) == 0
    assert ids_of(world.provider.send_batch(batch, "key-1")) == ids

    assert "erika" not in everything_in(world.folder).lower()
    assert [mail.to for mail in world.received()] == [message(1).to]
    assert [row["id"] for row in listed(world.folder)] == [ids[0]]


def test_an_outbox_that_was_never_made_has_nothing_to_erase(world: OutboxWorld) -> None:
    assert erase(world.folder, ["0" * 32], ["erika@example.com"]) == 0
    assert not world.folder.exists()


def test_a_record_that_cannot_be_read_is_named_and_not_passed_over(world: OutboxWorld) -> None:
    world.provider.send_batch(freeze([message(1)]), "key-1")
    [record] = (world.folder / "batches").iterdir()
    record.write_text("{", encoding="utf-8")

    with pytest.raises(StoreError, match="cannot be erased"):
        erase(world.folder, ["0" * 32], [])
