"""Runs families of checks, counts them, and says which failed."""

import argparse
import importlib
import pkgutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType

import robustness

Check = tuple[str, Callable[[], object]]
"""What is checked, and what raises (usually `AssertionError`) if it does not hold."""

SHOWN = 20  # failures of a family


def families() -> dict[str, ModuleType]:
    """The modules of this folder with `checks(count: int, seed: int, folder: Path) -> Iterator[Check]`, by name.

    `count` is about how many checks are wanted, `seed` makes them repeatable, `folder` is empty.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(robustness.__path__))
    modules = {name: importlib.import_module(f"robustness.{name}") for name in names if not name.startswith("__")}
    return {name: module for name, module in modules.items() if hasattr(module, "checks")}


def run(checks: Iterator[Check], until: float = float("inf"), only: int | None = None) -> tuple[int, dict[str, str]]:
    """Run checks until a time: how many there were, and the traceback of each that failed by its number and name.

    With `only` the check of that number is run alone; those before it are made, as all are from one random sequence.
    """
    count, failures = 0, {}
    for number, (name, check) in enumerate(checks, start=1):
        if only is not None and number != only:
            continue
        count += 1
        try:
            check()
        except Exception:  # whatever it is, the next check is run
            failures[f"{number}: {name}"] = traceback.format_exc()
        if time.monotonic() > until:
            break
    return count, failures


def run_family(
    name: str, count: int, seed: int, until: float = float("inf"), only: int | None = None
) -> tuple[int, dict[str, str]]:
    """As `run`, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="robustness-") as folder:
        return run(islice(families()[name].checks(count, seed, Path(folder)), only or count), until, only)


def main(arguments: list[str] | None = None) -> None:
    """Run families and exit with 1 if a check failed."""
    known = families()
    parser = argparse.ArgumentParser(prog="robustness", description=robustness.__doc__.splitlines()[0])
    parser.add_argument("--families", default=",".join(known), help="separated by commas; all of them by default")
    parser.add_argument("--count", type=int, default=1000, help="checks of each family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="of each family, at most")
    parser.add_argument("--only", type=int, metavar="N", help="repeat check N of a family alone, with the same count")
    parser.add_argument("--tracebacks", action="store_true", help="show whole tracebacks of failed checks")
    options = parser.parse_args(arguments)
    chosen = options.families.split(",")
    if unknown := set(chosen) - set(known):
        parser.error(f"no family {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    total = failed = 0
    for name in chosen:
        began = time.monotonic()
        count, failures = run_family(name, options.count, options.seed, began + 60 * options.minutes, options.only)
        total, failed = total + count, failed + len(failures)
        print(f"{name}: {count} checks, {len(failures)} failed, {time.monotonic() - began:.0f} s", flush=True)
        for check, trace in list(failures.items())[:SHOWN]:
            print(f"  {check}\n{trace if options.tracebacks else '    ' + trace.strip().splitlines()[-1]}")
    print(f"{total} checks, {failed} failed")
    sys.exit(1 if failed else 0)
