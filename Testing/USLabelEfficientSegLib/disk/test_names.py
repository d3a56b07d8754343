"""Names of cases: texts that are never paths, and the files that stand for them."""

import unicodedata

import pytest

from USLabelEfficientSegLib.disk.names import name_problem, names_problem, safe_file_name, safe_stems

COMPOSED, DECOMPOSED = unicodedata.normalize("NFC", "Müller"), unicodedata.normalize("NFD", "Müller")


@pytest.mark.parametrize(
    "name",
    ["../../other/model", "/home/other/model", "C:\\other\\model", "c:model", "a/b", "a\\b", "..", ".", "a\0b"],
)
def test_what_looks_like_a_path_is_no_name(name: str) -> None:
    assert name_problem(name) == "looks like a path"


def test_empty_endless_and_invalid_texts_are_no_names() -> None:
    assert name_problem(" ") == "is empty"
    assert name_problem("x" * 256) == "is longer than 255 characters"
    assert name_problem("scan\udcff") == "is no valid text"


@pytest.mark.parametrize(
    "name", ["größe 1", "前立腺", "con", "scan. ", "left:right", "-rf", "x" * 255, ".hidden", "Fall #3 (links)"]
)
def test_harmless_names_are_names(name: str) -> None:
    assert name_problem(name) is None


def test_a_name_is_given_once_but_may_differ_in_case_or_composition() -> None:
    assert names_problem(["scan", "b", "scan"]) == "two cases have the name 'scan'"
    assert names_problem(["scan", "../scan"]) == "the name '../scan' looks like a path"
    assert names_problem(["scan", "Scan", COMPOSED, DECOMPOSED]) is None


@pytest.mark.parametrize(
    ("name", "file"),
    [("größe 1", "größe 1"), ("v1.2", "v1.2"), (DECOMPOSED, COMPOSED)],
)
def test_the_file_of_a_legal_name_is_that_name(name: str, file: str) -> None:
    assert safe_file_name(name) == file


@pytest.mark.parametrize(
    ("name", "readable"),
    [("../../x", "_.._x"), ("CON", "_CON"), ("nul.nrrd", "_nul.nrrd"), ("COM¹", "_COM¹"), ("scan. ", "scan"),
     ("a\x1b[2Jb", "a_[2Jb"), ("C:\\x", "C__x"), ("...", "_"), ("com7 .txt", "_com7 .txt")],
)  # fmt: skip
def test_the_file_of_any_other_name_is_legal_everywhere_and_tells_it(name: str, readable: str) -> None:
    stem, _, digest = safe_file_name(name).rpartition("-")

    assert stem == readable and len(digest) == 12


def test_file_names_of_names_that_some_systems_take_for_one_differ() -> None:
    names = ["scan", "Scan", "SCAN", COMPOSED, DECOMPOSED, "a/b", "a\\b", "con", "_con", "x", "x. "]
    files = [unicodedata.normalize("NFC", stem).casefold() for stem in safe_stems(names)]

    assert len(set(files)) == len(names)
    assert not any(set(file) & set('/\\:*?"<>|') for file in files)


def test_file_names_of_a_group_are_readable_legal_and_different() -> None:
    assert safe_stems(["größe 1", "前立腺", "a:b/c", "A_b_c", "con", "...", "x. "]) == [
        "größe 1", "前立腺", "a_b_c", "A_b_c-2", "_con", "_", "x",
    ]  # fmt: skip
    long = safe_stems(["ü" * 300, "ü" * 301])
    assert len(set(long)) == 2 and all(len(stem.encode()) < 130 for stem in long)
