"""The repository as a Slicer extension: what is packaged, and what the Extension Manager's checks ask for."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import unittest
from pathlib import Path

import pytest
from slicer_host.not_bundled import NOT_BUNDLED

ROOT = Path(__file__).parents[1]
MODULE = ROOT / "USLabelEfficientSeg"
NAME = "USLabelEfficientSeg"
REPOSITORY = "https://github.com/us-label-efficient-seg/SlicerUSLabelEfficientSeg"
RAW = "https://raw.githubusercontent.com/us-label-efficient-seg/SlicerUSLabelEfficientSeg/main/"


def cmake_list(variable):
    """The entries of a list in the module's CMakeLists.txt."""
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    found = re.search(rf"set\({variable}\s+(.*?)\)", text, flags=re.DOTALL)
    assert found is not None
    return found.group(1).replace("${MODULE_NAME}", NAME).split()


def metadata(variable):
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    found = re.search(rf'set\({variable} "([^"]+)"\)', text)
    assert found is not None
    return found.group(1)


def packaged_files(python):
    """Files of the module's folder that Slicer needs, Python or other, without caches and what pip leaves there."""
    files = (path.relative_to(MODULE) for path in MODULE.rglob("*") if path.is_file())
    hidden = ("__pycache__", ".")
    kept = [
        path for path in files if not any(part.startswith(hidden) or part.endswith(".egg-info") for part in path.parts)
    ]
    return {path.as_posix() for path in kept if (path.suffix == ".py") == python and path.name != "CMakeLists.txt"}


def tracked_files():
    done = subprocess.run(["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git repository: what it holds is not known")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_every_python_file_is_packaged():
    listed = cmake_list("MODULE_PYTHON_SCRIPTS")

    assert set(listed) ^ packaged_files(python=True) == set()
    assert len(listed) == len(set(listed))


def test_every_resource_is_packaged():
    listed = cmake_list("MODULE_PYTHON_RESOURCES")

    assert set(listed) ^ packaged_files(python=False) == set()
    assert len(listed) == len(set(listed))


def test_the_names_agree():
    root = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    entry = json.loads((ROOT / f"{NAME}.json").read_text(encoding="utf-8"))

    assert f"project({NAME})" in root
    assert f"set(MODULE_NAME {NAME})" in (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    assert entry["scm_url"] == f"{REPOSITORY}.git"
    assert metadata("EXTENSION_HOMEPAGE") == REPOSITORY
    assert REPOSITORY.rpartition("/")[2] == f"Slicer{NAME}"


def test_the_description_file_has_what_its_schema_wants():
    entry = json.loads((ROOT / f"{NAME}.json").read_text(encoding="utf-8"))

    assert entry.keys() == {
        "$schema", "build_dependencies", "build_subdirectory", "category", "scm_revision", "scm_url", "tier",
    }  # fmt: skip
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert entry["category"] == "Segmentation"
    assert entry["tier"] in range(1, 6)
    assert entry["build_dependencies"] == [metadata("EXTENSION_DEPENDS")] == ["PyTorch"]


def test_the_description_names_the_licence_and_is_short():
    description = metadata("EXTENSION_DESCRIPTION")

    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license"] in description
    assert len(description) < 400
    assert (ROOT / "LICENSE").is_file()


@pytest.mark.parametrize("variable", ["EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"])
def test_pictures_are_png_files_of_this_repository(variable):
    for url in metadata(variable).split():
        assert url.startswith(RAW)
        picture = ROOT / url.removeprefix(RAW)
        assert picture.read_bytes().startswith(b"\x89PNG\r\n"), picture


def test_the_icon_is_128_pixels_wide_and_high():
    for icon in (ROOT / f"Resources/Icon/{NAME}.png", MODULE / f"Resources/Icons/{NAME}.png"):
        header = icon.read_bytes()[16:24]
        assert (int.from_bytes(header[:4]), int.from_bytes(header[4:])) == (128, 128)


def test_lines_end_with_lf():
    texts = (".py", ".txt", ".json", ".md", ".toml", ".ui", ".j2", ".cfg", "")
    for path in tracked_files():
        if path.suffix in texts:
            assert b"\r" not in path.read_bytes(), path


def test_the_repository_is_small():
    assert sum(path.stat().st_size for path in tracked_files()) < 50e6


def test_the_slicer_side_opens_without_the_packages_that_slicer_lacks():
    """Everything the panel imports when it opens; torch and the like are blocked."""
    paths = sorted((MODULE / f"{NAME}Lib" / "slicer_side").rglob("*.py"))
    modules = [".".join(path.relative_to(MODULE).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    program = f"""
import importlib, sys
import slicer_host
slicer_host.start()
for blocked in {NOT_BUNDLED!r}:
    sys.modules[blocked] = None
for name in {modules!r}:
    importlib.import_module(name)
print("opened", {len(modules)})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(MODULE), str(ROOT / "Testing")])},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"opened {len(modules)}")


def test_the_self_test_that_slicer_runs_passes_in_the_host(host, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "Testing" / "Python")
    suite = unittest.defaultTestLoader.loadTestsFromName("MrmlExchangeTest")

    result = unittest.TextTestRunner(verbosity=0).run(suite)

    assert suite.countTestCases() == 3
    assert result.wasSuccessful(), result.failures + result.errors


SLICER_CONFIG_VERSION = """
set(PACKAGE_VERSION "@Slicer_VERSION@")
if(NOT PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
"""
SLICER_CONFIG = """
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake")
"""
USE_SLICER = """
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS OR NOT MY_NAME)
    message(FATAL_ERROR "unknown arguments ${MY_UNPARSED_ARGUMENTS}")
  endif()
  foreach(file ${MY_SCRIPTS} ${MY_RESOURCES})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
      message(FATAL_ERROR "no file ${file}")
    endif()
  endforeach()
  list(LENGTH MY_SCRIPTS count)
  message(STATUS "module ${MY_NAME} of ${count} scripts")
  # Slicer (with CTK) copies at build time, each file to its place below, and installs the folder.
  set(place lib/Slicer-5.12/qt-scripted-modules)
  set(copies)
  foreach(file ${MY_SCRIPTS} ${MY_RESOURCES})
    set(copy ${CMAKE_BINARY_DIR}/${place}/${file})
    add_custom_command(
      OUTPUT ${copy} DEPENDS ${file} COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${copy})
    list(APPEND copies ${copy})
  endforeach()
  add_custom_target(Copy${MY_NAME} ALL DEPENDS ${copies})
  install(DIRECTORY ${CMAKE_BINARY_DIR}/${place}/ DESTINATION ${place} COMPONENT RuntimeLibraries)
endfunction()
function(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "SCRIPT" "" ${ARGN})
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${MY_SCRIPT})
    message(FATAL_ERROR "no test ${MY_SCRIPT}")
  endif()
  message(STATUS "test ${MY_SCRIPT}")
endfunction()
"""


def configured(folder, slicer_version):
    """CMake with a stand-in of Slicer of a version."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("cmake is not installed")
    version = SLICER_CONFIG_VERSION.replace("@Slicer_VERSION@", slicer_version)
    files = {"SlicerConfig": SLICER_CONFIG, "SlicerConfigVersion": version, "UseSlicer": USE_SLICER, "Nothing": ""}
    for name, text in files.items():
        (folder / f"{name}.cmake").write_text(text, encoding="utf-8")
    options = [f"-DSlicer_DIR={folder}", "-DBUILD_TESTING=ON", "-DCMAKE_C_COMPILER_WORKS=1"]
    return subprocess.run(
        [cmake, "-S", ROOT, "-B", folder / "build", *options, "-DCMAKE_CXX_COMPILER_WORKS=1"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_slicer_that_is_too_old_is_refused_when_the_project_is_configured(tmp_path):
    done = configured(tmp_path, "5.10")

    assert done.returncode != 0 and 'compatible with requested version "5.12"' in " ".join(done.stderr.split())


def test_the_project_configures_up_to_what_only_slicer_has(tmp_path):
    """With the arguments that Slicer's macros take, and the files that they ask for."""
    done = configured(tmp_path, "5.12")

    assert done.returncode == 0, done.stderr
    assert f"module {NAME} of {len(packaged_files(python=True))} scripts" in done.stdout
    assert f"test {NAME}.py" in done.stdout
    assert "test MrmlExchangeTest.py" in done.stdout


OPENING = """
import sys
sys.modules.update(dict.fromkeys({blocked!r}))
import slicer_host
slicer_host.start()
import slicer
widget = slicer_host.load_module({module!r})
slicer.util.selectModule("USLabelEfficientSeg")
import USLabelEfficientSegLib
assert widget.ui.studyButton.text and not slicer_host.errors, slicer_host.errors
print(USLabelEfficientSegLib.__file__)
"""


def test_the_built_and_installed_folder_is_the_module_and_opens(tmp_path):
    """What Slicer packs: nothing of the repository but that folder is in reach."""
    assert configured(tmp_path, "5.12").returncode == 0
    build, package = tmp_path / "build", tmp_path / "package"
    for words in (["--build", build, "--parallel", "2"], ["--install", build, "--prefix", package]):
        done = subprocess.run(["cmake", *words], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
    place = package / "lib" / "Slicer-5.12" / "qt-scripted-modules"

    files = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert files == packaged_files(python=True) | packaged_files(python=False)
    opened = subprocess.run(
        [sys.executable, "-c", OPENING.format(blocked=NOT_BUNDLED, module=str(place / f"{NAME}.py"))],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "Testing"), "USLABELSEG_STATE": str(tmp_path / "state")},
    )  # fmt: skip
    assert opened.returncode == 0, opened.stderr
    assert Path(opened.stdout.split()[-1]).is_relative_to(place)


def test_every_self_test_is_registered_with_ctest():
    folder = ROOT / "Testing" / "Python"
    registered = re.findall(r"SCRIPT (\S+)\)", (folder / "CMakeLists.txt").read_text(encoding="utf-8"))

    assert sorted(registered) == sorted(path.name for path in folder.glob("*.py"))
