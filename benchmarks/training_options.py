"""The command line of benchmarks that train on a part of the subjects of a data set and test on the others."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.training.memory import tune_memory

_Value = TypeVar("_Value")


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """Options that all of them have: DATA, --output, --seeds, --preset, --set, --validation, --device."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=list_of(int), default=[0, 1, 2])
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="change a setting of the preset")
    parser.add_argument(
        "--validation", action="store_true", help="hold out a part of the training subjects; never see the test set"
    )
    parser.add_argument("--device", default="auto")
    return parser


def list_of(kind: Callable[[str], _Value]) -> Callable[[str], list[_Value]]:
    """Reads values that are separated by commas."""
    return lambda text: [kind(value) for value in text.split(",")]


def main(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]) -> None:
    """Parse the command line and run; bad input ends with one line."""
    arguments = parser.parse_args()
    tune_memory()
    try:
        run(arguments)
    except InputError as error:
        sys.exit(f"error: {error}")
