"""Tables of any length are told; very long ones without a frame."""

from USLabelEfficientSegLib.command_line.console import Console


def test_a_long_table_has_aligned_columns_and_every_row(capsys):
    rows = [(f"volume {number}", "24 x 24 x 16", "none") for number in range(600)]

    Console().table(("Volume", "Voxels", "Labelled slices"), rows)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 601 and lines[1] == "volume 0    24 x 24 x 16  none"
    assert {line.index("24 x") for line in lines[1:]} == {lines[0].index("Voxels")}


def test_a_name_that_hides_something_is_shown_in_a_long_table(capsys):
    Console().table(("Volume",), [("a\x1b[2J",)] * 600)

    assert "a\\x1b[2J" in capsys.readouterr().out
