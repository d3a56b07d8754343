"""What is given away: wheel and source distribution, the list of licences, constraints, the container's recipe."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version as installed_version
from pathlib import Path

import dependencies
import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from USLabelEfficientSegLib import __version__

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "USLabelEfficientSeg" / "USLabelEfficientSegLib"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*words, **options):
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=300, check=False, **options
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Source distribution, and the wheel that is built from it, as `make dist` makes them."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    hidden = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    shutil.copytree(ROOT / "USLabelEfficientSeg", source / "USLabelEfficientSeg", ignore=hidden)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", made, source)
    (wheel,), (archive,) = made.glob("*.whl"), made.glob("*.tar.gz")
    return wheel, archive


@pytest.fixture(scope="module")
def environment(distributions, tmp_path_factory):
    """An empty environment into which pip has installed the wheel; it sees the packages that this Python has."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / Path(sys.executable).name
    places = json.loads(run(python, "-c", "import json, sysconfig; print(json.dumps(sysconfig.get_paths()))"))
    packages = {str(Path(str(module.__file__)).parents[1]) for module in (pytest, torch)}
    (Path(places["purelib"]) / "of_this_python.pth").write_text("\n".join(sorted(packages)), encoding="utf-8")
    wheel, _ = distributions
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-index",
        "--ignore-installed",
        "--no-deps",
        wheel,
    )
    return programs, Path(places["purelib"])


def test_the_wheel_holds_the_library_with_its_data_and_nothing_else(distributions):
    wheel, _ = distributions
    hidden = ("__pycache__", ".")
    library = {
        path.relative_to(LIBRARY.parent).as_posix()
        for path in LIBRARY.rglob("*")
        if path.is_file() and not any(part.startswith(hidden) for part in path.relative_to(LIBRARY).parts)
    }

    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == library
    starters = {
        f"USLabelEfficientSegLib/{folder}/starter.safetensors" for folder in ("promptable_network", "slice_network")
    }
    assert starters < held


def test_the_source_distribution_holds_no_tests_and_what_a_reader_needs(distributions):
    _, archive = distributions

    names = {name.partition("/")[2] for name in run("tar", "-tzf", archive).split()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "constraints.txt", "pyproject.toml"} <= names
    assert not [name for name in names if name.startswith("Testing") or Path(name).name.startswith("test_")]


def test_distributions_carry_the_one_version(distributions):
    for path in distributions:
        assert path.name.startswith(f"us_label_efficient_seg-{__version__}"), path


def test_the_installed_command_answers_from_its_own_environment(environment):
    programs, packages = environment
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    assert run(programs / "uslabelseg", "--version", env=plain) == f"uslabelseg {__version__}\n"
    assert "uslabelseg demo" in run(programs / "uslabelseg", "demo", "--help", env=plain)
    program = """
import USLabelEfficientSegLib.pipeline as pipeline
from USLabelEfficientSegLib.promptable_network.starter import load_starter
load_starter()
print(pipeline.__file__)
"""
    (python,) = [path for path in programs.iterdir() if path.name == Path(sys.executable).name]
    assert Path(run(python, "-c", program, env=plain).strip()).is_relative_to(packages)


def test_what_the_wheel_requires_is_what_the_tests_have(environment):
    """pip itself compares the wheel's requirements with the installed versions."""
    programs, _ = environment
    (python,) = [path for path in programs.iterdir() if path.name == Path(sys.executable).name]
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    told = run(
        sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--dry-run",
        "us-label-efficient-seg", env=plain,
    )  # fmt: skip
    assert "Would install" not in told


def test_the_page_of_licences_is_what_installed_packages_say():
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([\w.-]+) \| ([^|]+) \|", page, re.MULTILINE))
    wanted = {canonicalize_name(requirement.name) for requirement, _ in dependencies.requirements(dependencies.EXTRAS)}

    assert wanted <= set(listed)
    for name, package in dependencies.installed(
        one for one, _ in dependencies.requirements(dependencies.EXTRAS)
    ).items():
        if name in wanted:
            assert listed[name] == dependencies.licence(package), f"{name}: run `make dependencies`"


def test_every_extra_for_users_is_in_the_page_of_licences():
    assert {*dependencies.EXTRAS, "docs", "test"} == set(PROJECT["optional-dependencies"])


def pins(name):
    """The pinned versions of a file of constraints, by package."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    texts = [line.partition("#")[0].strip() for line in lines if not line.startswith(("#", "-c "))]
    wanted = [Requirement(text) for text in texts]
    assert all(re.fullmatch(r"={2,3}[^=*]+", str(one.specifier)) for one in wanted)
    return {canonicalize_name(one.name): str(one.specifier).lstrip("=") for one in wanted}


def test_constraints_pin_everything_that_is_required_within_its_bounds():
    pinned = pins("constraints.txt")
    extras = [extra for extra in dependencies.every_extra() if extra != "docs"]

    for requirement, _ in dependencies.requirements(extras):
        name = canonicalize_name(requirement.name)
        assert name == "setuptools" or requirement.specifier.contains(Version(pinned[name])), name
    assert pinned["torch"] == installed_version("torch").partition("+")[0] == "2.13.0"


def test_constraints_for_cuda_differ_in_the_build_of_torch_alone():
    text = (ROOT / "constraints-cuda.txt").read_text(encoding="utf-8")
    more = pins("constraints-cuda.txt")

    assert "-c constraints.txt\n" in text and "torch===2.13.0 " in text
    assert more.pop("torch") == pins("constraints.txt")["torch"]
    assert not set(more) & set(pins("constraints.txt"))


def test_the_container_is_made_of_files_and_versions_that_exist():
    """Nothing more: no engine for containers is needed here."""
    recipe = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split() if line[0] == "!"}
    copied = {name for line in re.findall(r"^COPY (.+)$", recipe, re.MULTILINE) for name in line.split()[:-1]}

    assert copied == admitted and all((ROOT / name).exists() for name in copied)
    (python,) = re.findall(r"^FROM python:([\d.]+)-slim$", recipe, re.MULTILINE)
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python)
    assert f'"torch=={pins("constraints.txt")["torch"]}+cpu"' in recipe
    assert re.findall(r'^ENTRYPOINT \["(\w+)"\]$', recipe, re.MULTILINE) == list(PROJECT["scripts"])
    installed, left = recipe.rsplit("\nRUN ", 1)
    assert re.findall(r"^USER (.+)$", left, re.MULTILINE) == ["1000:1000"] and "\nUSER " not in installed
