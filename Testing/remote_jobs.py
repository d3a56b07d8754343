"""What tests of a training on another computer look at: its events, and the folders of its jobs."""

import json

A_LOOK = 0.05  # seconds between looks at the other computer


def event(step, of=4):
    return json.dumps(
        {"stage": "student", "step": step, "of": of, "seconds_left": None, "losses": {}, "preview": None,
         "message": None, "time": 1.0 + step}
    )  # fmt: skip


def jobs(there):
    return sorted((there / "logs" / "remote").iterdir())
