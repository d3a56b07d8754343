"""Refusals of commands as the user of the panel reads them."""

import re
from pathlib import Path

import pytest

from USLabelEfficientSegLib.disk.refusals import as_input_error
from USLabelEfficientSegLib.slicer_side.worker import explanation

REFUSALS = [
    ("s: is trained with other settings (seed); use --restart to train anew.", "train it anew with another preset."),
    ("f: holds no weights; use --restart to train it anew.", "; train it anew with another preset."),
    ("f: is of an older version; train the study with --restart.", "; train the study anew with another preset."),
    ("run.json: is damaged; train anew with --restart and a --preset.", "; train anew with another preset."),
    (
        "stage x: diverges; lower its learning rate and train it again with --restart.",
        "train it again anew with another",
    ),
    ("m: is not the model; restore it, or use --from-teacher.", "; restore it, or tick Start anew."),
    ("r.html: is not of this program; choose another name, or replace it with --overwrite.", "; choose another name."),
    (
        "a.png: does not say how large its pixels are; give its pixel size with --pixel-sizes TABLE.csv or "
        "--pixel-size MM: without it a length means nothing.",
        "; give its pixel size in step 1, as a table or in mm for all: without it a length means nothing.",
    ),
    ("a.dcm: x; give the right one with --pixel-size MM or --pixel-sizes TABLE.csv.", "in mm for all."),
    (str(as_input_error(MemoryError())), "choose the preset Quick or lower student.window in the expert settings"),
]


@pytest.mark.parametrize(("sentence", "words"), REFUSALS)
def test_remedies_name_what_the_panel_has(sentence, words):
    told = explanation(2, f"some line\nuslabelseg: error: {sentence}\n", Path("log"))

    assert words in told and not re.search(r"--[a-z]", told)


def test_what_needs_no_other_words_stays_as_it_is():
    sentence = "scan.nrrd: is damaged (cut off); copy it again."

    assert explanation(2, f"uslabelseg: error: {sentence}\n", Path("log")) == sentence
