from USLabelEfficientSegLib.text.slices import slice_words, slices_words


def test_slices_are_counted_from_one() -> None:
    assert slice_words("coronal", 24, 48) == "coronal, slice 25 of 48"


def test_several_slices_are_listed_in_order_and_all_are_all() -> None:
    assert slices_words("axial", [11, 2], 48) == "axial, slices 3, 12 of 48"
    assert slices_words("axial", [2], 48) == "axial, slice 3 of 48"
    assert slices_words("axial", range(48), 48) == "axial, all 48 slices"
