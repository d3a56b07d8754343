import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.evaluation.reference_volumes import read_reference_volumes


def table(tmp_path, text):
    path = tmp_path / "volumes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_volumes_are_read_by_case_and_organ_whatever_the_order_of_the_columns(tmp_path):
    path = table(tmp_path, "\ufefforgan, volume_ml,note,case\nprostate,34.5,ok,a\ncyst,0,,a\nprostate,50,,b\n")

    assert read_reference_volumes(path) == {"a": {"prostate": 34.5, "cyst": 0.0}, "b": {"prostate": 50.0}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,organ\na,prostate\n", "lacks the column volume_ml"),
        ("", "lacks the column case"),
        ("case,organ,volume_ml\na,prostate,large\n", "volume 'large' in line 2"),
        ("case,organ,volume_ml\na,prostate,-1\n", "volume '-1' in line 2"),
        ("case,organ,volume_ml\na,prostate,inf\n", "volume 'inf' in line 2"),
        ("case,organ,volume_ml\na,prostate,12,3\n", r"more cells than headings in line 2; write numbers with a point"),
        ("case,organ,volume_ml\na,prostate\n", "volume '' in line 2"),
        ("case,organ,volume_ml\na,prostate,1\na,prostate,2\n", r"two volumes of prostate of a \(line 3\)"),
    ],
)
def test_tables_that_make_no_sense_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_reference_volumes(table(tmp_path, text))


def test_a_missing_or_undecodable_file_is_refused(tmp_path):
    (tmp_path / "latin.csv").write_bytes("case,organ,volume_ml\né,é,1\n".encode("latin-1"))

    for name in ("latin.csv", "none.csv"):
        with pytest.raises(InputError, match="cannot be read"):
            read_reference_volumes(tmp_path / name)
