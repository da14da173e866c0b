"""Kill a thousand runs, on each database there is side by side, and count what was lost or doubled: `make soak`."""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "providers")]
import servers
from killed_at import POINTS, POST
from resends import STORM, LocalResend, local_resend
from scene import Scene, Verdict, make_scene


def soak(scene: Scene, resend: LocalResend, kills: int) -> Verdict:
    """Kill runs of one product: half of them at a point of the protocol, half at any moment, in a storm of faults."""
    while scene.kills < kills:
        scene.add_users(scene.random.randint(50, 400))
        if scene.random.random() < 0.5:
            resend.faults()
            point = scene.random.choice([*POINTS, POST])
            when = scene.random.choice(["inside", "after"])
            scene.kill_if_it_comes_to(point, when, scene.random.randint(1, 3))
        else:
            resend.faults(**STORM)
            scene.die_while_sending()
    resend.faults()
    scene.finish()
    return scene.judge()


def _databases(root: Path, stack: ExitStack) -> dict[str, str]:
    """Make an empty database of each kind that this machine has; name them with their URLs."""
    urls = {"SQLite": f"sqlite:///{root / 'skene.db'}"}
    for name, server in (("MariaDB", servers.mariadb), ("TiDB", servers.tidb)):
        folder = root / f"server-{name.lower()}"
        folder.mkdir()
        try:
            started = stack.enter_context(server(folder))
        except servers.Absent as absent:
            print(f"Not on {name}: {absent}")
        else:
            urls[name] = stack.enter_context(servers.new_database(started, "skene_soak"))
    return urls


def main() -> int:
    """Print what became of everybody; 1 if an email was lost or doubled."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    asked = arguments.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        scenes: dict[str, Scene] = {}
        resends: list[LocalResend] = []
        for number, (name, url) in enumerate(_databases(root, stack).items()):
            (root / name).mkdir()
            resends.append(stack.enter_context(local_resend(root / name, asked.seed + number)))
            scenes[name] = make_scene(root / name / "project", url, resends[-1], asked.seed + number)
        kills = asked.kills // len(scenes)
        with ThreadPoolExecutor() as pool:
            verdicts = list(pool.map(lambda scene, resend: soak(scene, resend, kills), scenes.values(), resends))
    print(f"seed {asked.seed}, {(time.monotonic() - started) / 60:.1f} minutes")
    for (name, scene), verdict in zip(scenes.items(), verdicts, strict=True):
        print(
            f"{name:8} {scene.kills:,} kills, {scene.users:,} emails: {len(verdict.lost)} lost, "
            f"{len(verdict.doubled)} doubled, {len(verdict.wrong_ids)} wrong ids, "
            f"{len(verdict.not_written_back)} wrong `set`, {len(verdict.open_batches)} open batches"
        )
    return 0 if all(verdict == Verdict() for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
