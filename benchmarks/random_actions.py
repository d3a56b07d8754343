"""A user who does anything at any time, again and again: exceptions, orphan processes and leaked observers counted.

.venv/bin/python benchmarks/random_actions.py --seeds 20 --actions 100
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "Testing"))

import slicer_host as host
from random_user import RandomUser, child_processes, observers


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="number of users")
    parser.add_argument("--actions", type=int, default=100, help="what each does")
    arguments = parser.parse_args()
    host.start()
    import slicer

    exceptions = orphans = leaked = 0
    done: Counter[str] = Counter()
    started = time.monotonic()
    for seed in range(arguments.seeds):
        host.clear_scene()
        before = observers()
        slicer.util.confirmYesNoDisplay = lambda *_, answer=seed % 2 == 0, **__: answer
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            user = RandomUser(seed, Path(folder))
            try:
                user.act(arguments.actions)
            except AssertionError as error:
                exceptions += 1
                print(f"seed {seed}: {error}")
            user.close()
            orphans += len(child_processes())
            leaked += observers() - before
            done.update(user.done)
    print(f"{arguments.seeds} users, {sum(done.values())} actions in {time.monotonic() - started:.0f} s")
    print(f"exceptions {exceptions}, orphan processes {orphans}, leaked observers {leaked}")
    print("actions:", ", ".join(f"{name} {count}" for name, count in done.most_common()))


if __name__ == "__main__":
    main()
