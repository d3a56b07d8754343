from USLabelEfficientSegLib.slicer_side.nodes.terminology import terminology_of


def test_known_organs_get_their_code_however_they_are_written():
    assert "~SCT^123037004^Anatomical Structure~SCT^41216001^Prostate~^^~" in terminology_of(" Prostate ")
    assert "~SCT^49755003^Morphologically Altered Structure~SCT^367643001^Cyst~" in terminology_of("cyst")


def test_unknown_organs_are_tissue():
    assert terminology_of("gizzard") == (
        "Segmentation category and type - 3D Slicer General Anatomy list"
        "~SCT^85756007^Tissue~SCT^85756007^Tissue~^^~Anatomic codes - DICOM master list~^^~^^"
    )


def test_every_entry_has_the_seven_fields_that_slicer_parses():
    assert all(terminology_of(name).count("~") == 6 for name in ("kidney", "left ventricle", "mass", "gizzard"))
