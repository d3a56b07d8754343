"""A random user in a process of its own: prints what it has done and met as a line of JSON.

    python Testing/one_random_user.py SEED ACTIONS FOLDER [--without-packages]

FOLDER holds the studies of `random_user.make_studies`.
"""

import json
import sys
import traceback
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import slicer_host as host
from slicer_host import blocking, circumstances
from slicer_host.not_bundled import NOT_BUNDLED


def main() -> None:
    """Act and tell."""
    seed, actions, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    with ExitStack() as circumstance:
        if "--without-packages" in sys.argv:
            circumstance.enter_context(circumstances.packages(dict.fromkeys(NOT_BUNDLED)))
        host.start()
        print(json.dumps(act(seed, actions, folder)))


def act(seed: int, actions: int, folder: Path) -> dict[str, object]:
    """What a user has done, exceptions that left a slot, what was left behind, and which slots took longest."""
    from random_user import RandomUser, child_processes, observers

    before, exception = observers(), ""
    user = RandomUser(seed, folder)
    try:
        user.act(actions)
    except Exception:
        exception = traceback.format_exc()
    user.close()
    exception = exception or "".join(host.errors)
    return {
        "done": user.done,
        "exception": exception,
        "orphans": len(child_processes()),
        "leaked": observers() - before,
        "blocked": [asdict(slot) for slot in blocking.longest[:5]],
    }


if __name__ == "__main__":
    main()
