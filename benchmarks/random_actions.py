"""A user who does anything at any time, again and again: exceptions, orphan processes and leaked observers counted.

The slots that have blocked the event loop longest are told at the end, with their own processor time.

Each user has a process of its own, so that a crash is counted, too; every fifth works in a Slicer where the packages
that it does not bundle are missing.

    .venv/bin/python benchmarks/random_actions.py --seeds 20 --actions 100
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "Testing"))

from random_user import make_studies

ONE_USER = Path(__file__).parents[1] / "Testing" / "one_random_user.py"
WITHOUT_PACKAGES = 5  # every so many users
SLOTS_TOLD = 8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="number of users")
    parser.add_argument("--from-seed", type=int, default=0, help="the first user")
    parser.add_argument("--actions", type=int, default=100, help="what each does")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    crashes = exceptions = orphans = leaked = 0
    done: Counter[str] = Counter()
    blocked: list[dict] = []
    started = time.monotonic()
    for seed in range(options.from_seed, options.from_seed + options.seeds):
        found = one_user(seed, options.actions)
        if found is None:
            crashes += 1
            continue
        if found["exception"]:
            exceptions += 1
            print(f"user {seed}: {found['exception']}", flush=True)
        orphans += found["orphans"]
        leaked += found["leaked"]
        done.update(found["done"])
        blocked += found["blocked"]
    print(f"{options.seeds} users, {sum(done.values())} actions in {time.monotonic() - started:.0f} s")
    print(f"crashes {crashes}, exceptions {exceptions}, orphan processes {orphans}, leaked observers {leaked}")
    for slot in sorted(blocked, key=lambda slot: -slot["seconds"])[:SLOTS_TOLD]:
        times = f"{1000 * slot['seconds']:.0f} ms ({1000 * slot['own_seconds']:.0f} ms of its own)"
        print(f"event loop blocked {times}: {slot['slot']}")
    print("actions:", ", ".join(f"{name} {count}" for name, count in done.most_common()))


def one_user(seed: int, actions: int) -> dict | None:
    """What a user has met, None after a crash."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        make_studies(Path(folder))
        without = ["--without-packages"] if seed % WITHOUT_PACKAGES == WITHOUT_PACKAGES - 1 else []
        command = [sys.executable, "-X", "faulthandler", str(ONE_USER), str(seed), str(actions), folder, *without]
        ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        print(f"user {seed} ended with {ended.returncode}: {ended.stderr[-2000:]}", flush=True)
        return None
    found: dict = json.loads(ended.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
