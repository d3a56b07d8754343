"""A study as an app of MONAI Label: its clients (3D Slicer, OHIF) label, train and segment with it.

    monailabel start_server --app monai_label --studies IMAGES --conf study STUDY

The server calls the command `uslabelseg`, which may be that of another environment (`--conf program PATH`): nothing but
MONAI Label itself is imported. The study is one of the volumes in IMAGES, under the same names.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.exception import MONAILabelError, MONAILabelException
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.interfaces.tasks.train import TrainTask
from submitted_labels import take_submitted

MODEL, STRATEGY = "organs", "suggest"
ERROR = "uslabelseg: error: "
NOTHING_NEW = "that the study does not have"
SUGGESTIONS = 20  # looked through for one of a volume that the server has


class Commands:
    """The command `uslabelseg` on one study."""

    def __init__(self, conf: Mapping[str, str]) -> None:
        if "study" not in conf:
            raise MONAILabelException(MONAILabelError.APP_INIT_ERROR, "No study is named; add --conf study FOLDER")
        self.study = conf["study"]
        self._program = conf.get("program", "uslabelseg")
        self._device = conf.get("device", "auto")

    def run(self, *words: str, device: bool = False) -> str:
        """What a command prints. Raises `MONAILabelException` with its sentence."""
        command = [self._program, *words, *(["--device", self._device] if device else [])]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            sentence = f"{self._program}: cannot be run ({error.strerror}); tell where it is with --conf program PATH."
            raise MONAILabelException(MONAILabelError.APP_INIT_ERROR, sentence) from error
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"{self._program} has failed with code {done.returncode}."]
            told = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
            raise MONAILabelException(MONAILabelError.APP_ERROR, (told or lines)[-1])
        return done.stdout

    def summary(self) -> dict[str, Any]:
        """What the study holds; see `uslabelseg study show --json`."""
        return dict(json.loads(self.run("study", "show", self.study, "--json")))


class Segmentation(InferTask):
    """The study's model on a volume: `uslabelseg segment`."""

    def __init__(self, commands: Commands, organs: list[str]) -> None:
        self._commands = commands
        self._numbers = {organ: number for number, organ in enumerate(organs, start=1)}
        super().__init__(InferType.SEGMENTATION, self._numbers, 3, "Organs, by the model of the study")

    def is_valid(self) -> bool:
        """Whether it can be offered. A study that is not trained says so when it is asked."""
        return True

    def __call__(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The label map in a file of its own, the organs' numbers, and what `segment` measured."""
        with tempfile.TemporaryDirectory() as folder:
            words = ["segment", self._commands.study, request["image"], "--output", folder, "--quiet"]
            self._commands.run(*words, device=True)
            (written,) = Path(folder).glob("*.nrrd")
            (record,) = Path(folder).glob("*_measurements.json")
            measured = json.loads(record.read_text(encoding="utf-8"))
            with tempfile.NamedTemporaryFile(suffix=".nrrd", delete=False) as kept:
                shutil.copyfileobj(written.open("rb"), kept)
        return kept.name, {"label_names": self._numbers, "measurements": measured}


class Suggestion(Strategy):
    """The volume, and the slice in it, that teaches most: `uslabelseg suggest`."""

    def __init__(self, commands: Commands, axis: int) -> None:
        super().__init__("The slice that teaches the network most")
        self._commands = commands
        self._axis = axis

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        """The image, with `slice`, its index from 0 across the study's slice axis; None if none is left."""
        words = ["suggest", self._commands.study, "--count", str(SUGGESTIONS), "--json"]
        images = set(datastore.list_images())
        for found in json.loads(self._commands.run(*words, device=True)):
            if found["axis"] == self._axis and found["volume"] in images:
                return {"id": found["volume"], "slice": found["index"], "axis": self._axis, "reason": found["reason"]}
        return None


class Training(TrainTask):
    """The labels that clients have submitted become the study's, and it is trained: `uslabelseg train`."""

    def __init__(self, commands: Commands, axis: int) -> None:
        super().__init__("Learns from all volumes and the labelled slices")
        self._commands = commands
        self._axis = axis

    def config(self) -> dict[str, Any]:
        """What clients may choose."""
        return {"preset": ["quick", "standard", "full"], "settings": ""}

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Train; returns which slices the study has taken, which label maps not, and how far it is trained."""
        pairs = [(datastore_name(pair["image"]), Path(pair["label"])) for pair in datastore.datalist()]
        taken, refused = take_submitted(pairs, Path(self._commands.study), self._axis, self._take)
        preset = request.get("preset", "quick")
        changes = [f"--set={change}" for change in str(request.get("settings", "")).split()]
        words = ["--preset", preset if isinstance(preset, str) else preset[0], *changes, "--quiet"]
        self._commands.run("train", self._commands.study, *words, device=True)
        return {"training": self._commands.summary()["training"], "labels": taken, "set_aside": refused}

    def _take(self, folder: Path) -> list[str]:
        """Give the study the label maps in a folder; a line on each of which it has taken slices."""
        try:
            told = self._commands.run("study", "label", self._commands.study, "--labels", str(folder))
        except MONAILabelException as error:
            if NOTHING_NEW not in error.msg:
                raise ValueError(error.msg) from error
            return ["no slice is new"]
        return told.splitlines()


class USLabelEfficientSegApp(MONAILabelApp):
    """Labels, trains and segments with one study."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        self._commands = Commands(conf)
        summary = self._commands.summary()
        if summary["dimension"] != 3 or summary["orientation"] != "as-stored":
            sentence = f"{conf['study']}: is no study of volumes as they are stored; create one without --orientation."
            raise MONAILabelException(MONAILabelError.APP_INIT_ERROR, sentence)
        self._organs, self._axis = list(summary["organs"]), int(summary["slice_axis"])
        super().__init__(
            app_dir,
            studies,
            conf,
            name="US Label-Efficient Segmentation",
            description="Organs in 3-D ultrasound, learnt from few labelled slices",
            version="1.0",
            labels=self._organs,
        )

    def init_infers(self) -> dict[str, InferTask]:
        """The study's model."""
        return {MODEL: Segmentation(self._commands, self._organs)}

    def init_trainers(self) -> dict[str, TrainTask]:
        """The study's training."""
        return {MODEL: Training(self._commands, self._axis)}

    def init_strategies(self) -> dict[str, Strategy]:
        """The study's suggestions."""
        return {STRATEGY: Suggestion(self._commands, self._axis)}


def datastore_name(path: str) -> str:
    """The name of a volume, which its file has in the study as well."""
    return Path(path).name.removesuffix(".gz").rpartition(".")[0]
