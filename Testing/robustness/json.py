"""Changed `study.json`, `run.json`, `events.jsonl`, `watched.json` and settings: read rightly, or one sentence."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from robustness.mutations import as_text, changed_bytes, changed_json
from robustness.runner import Check
from robustness.tiny_studies import study_with_a_run
from USLabelEfficientSegLib.disk.names import name_problem
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.events import read_events, training_seconds
from USLabelEfficientSegLib.study.provenance import images_added, labels_changed, read_settings, read_starts
from USLabelEfficientSegLib.study.settings import Settings, parse_settings
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.study.watching import WATCHED, watched_volume

FILES = ("study.json", "study.json", "run/run.json", "run/events.jsonl", WATCHED)


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """Changes of values, and of bytes, of the files of one study, and of settings."""
    random = np.random.default_rng(seed)
    study = study_with_a_run(folder)
    whole = {file: (study.folder / file).read_bytes() for file in FILES}
    settings = json.loads(Settings().model_dump_json())
    for number in range(count):
        if number % 5 == 4:
            yield f"settings {number}", partial(_check_settings, changed_json(settings, random))
            continue
        file = FILES[random.integers(len(FILES))]
        data = whole[file]
        if random.random() < 0.6 and file != "run/events.jsonl":
            changed = as_text(changed_json(json.loads(data), random))
        elif random.random() < 0.6 and file == "run/events.jsonl":
            lines = data.splitlines()
            place = random.integers(len(lines))
            lines[place] = as_text(changed_json(json.loads(lines[place]), random))
            changed = b"\n".join(lines) + b"\n"
        else:
            changed = changed_bytes(data, random)
        yield f"{file} {number}", partial(_check_file, study.folder, file, changed, data)


def _check_file(folder: Path, file: str, changed: bytes, whole: bytes) -> None:
    others = {path: path.read_bytes() for path in sorted(folder.parent.rglob("*")) if path.is_file()}
    (folder / file).write_bytes(changed)
    try:
        _use(folder)
        for path, data in others.items():
            assert path == folder / file or path.read_bytes() == data, f"{path} was changed"
    finally:
        (folder / file).write_bytes(whole)


def _use(folder: Path) -> None:
    """What commands do with a study before they train; every number must be one."""
    events = read_events(folder / "run" / "events.jsonl")
    assert math.isfinite(training_seconds(events)) and training_seconds(events) >= 0
    watched_volume(folder)
    study = _or_sentence(lambda: Study.open(folder))
    if study is None:
        return
    assert not any(name_problem(case.name) for case in study.cases)
    json.dumps([study.summary(), study.training()], allow_nan=False).encode()
    assert 0 <= study.label_fraction() <= 1
    for read in (read_settings, read_starts, labels_changed, images_added):
        _or_sentence(partial(read, study))
    for case in study.cases:
        _or_sentence(partial(study.read_labels, case.name))
    _or_sentence(study.check_files)


def _or_sentence(read: Callable[[], Any]) -> Any:
    with suppress(InputError):
        return read()
    return None


def _check_settings(changed: Any) -> None:
    settings = _or_sentence(partial(parse_settings, "settings", changed))
    if settings is not None:
        json.dumps(settings.model_dump(mode="json"), allow_nan=False)
        assert settings.student.window <= 512 and len(settings.student.widths) <= 7
