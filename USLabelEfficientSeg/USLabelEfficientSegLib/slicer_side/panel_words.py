"""The worker's messages in the words of the panel, whose user has buttons and boxes instead of options."""

import re

_WORDS = (
    (r"use --restart to train (?:it )?anew", "train it anew with another preset"),
    (r"train (its study|the study|it again) with --restart", r"train \1 anew with another preset"),
    (r"train anew with --restart and a --preset", "train anew with another preset"),
    (r"or use --from-teacher", "or tick Start anew"),
    (
        r"lower student\.window, .* with --set, or use --device cpu if it was the memory of a GPU",
        "close other programs, choose the preset Quick or lower student.window in the expert settings, or choose the "
        "processor if it was the memory of a graphics card",
    ),
    (r", or replace it with --overwrite", ""),
    (r"segment the image again with --uncertainty", "segment the image again with its uncertainty"),
    (
        r"Python package (\S+): is missing; install it",
        r"The Python package \1 is missing; press Install in the section Environment",
    ),
    (r" \(--organs\)", ""),
    (r"with --pixel-sizes TABLE\.csv or --pixel-size MM", "in step 1, as a table or in mm for all"),
    (r"with --pixel-size MM or --pixel-sizes TABLE\.csv", "in step 1, as a table or in mm for all"),
    (r" \(see uslabelseg [^)]*--help\)", ""),
)


def in_panel_words(sentence: str) -> str:
    """A refusal of a command, with a remedy that can be followed in the panel."""
    for pattern, words in _WORDS:
        sentence = re.sub(pattern, words, sentence)
    return sentence
