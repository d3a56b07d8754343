from pathlib import Path

from USLabelEfficientSegLib.errors import InputError


def test_an_input_error_is_one_sentence_that_names_subject_problem_and_remedy() -> None:
    error = InputError(Path("scans/a.nrrd"), "is cut short", "copy it again")

    assert str(error) == f"{Path('scans/a.nrrd')}: is cut short; copy it again."
    assert isinstance(error, ValueError)
