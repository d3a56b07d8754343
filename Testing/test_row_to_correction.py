"""From a row of the results to the slice where the model is least sure, in step 2: by mouse, by key, by button."""

import numpy as np
import pytest
from test_label_step import SHAPE, add_result, box, painted
from test_label_step import study as study
from test_label_step import window_size as window_size


@pytest.fixture
def results(panel, study, host):
    """A measured result of each volume of the study; the model is least sure of slice 7 of the second."""
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, UNCERTAINTY, attach, madeFor
    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import uncertaintyNode

    values = np.zeros(SHAPE, dtype=np.float32)
    values[:4, :4, 7] = 0.8
    for case, name in enumerate(panel.session.cases()):
        volume = add_result(panel, box(), case=case)
        madeFor(volume, RESULT)[0].SetName(f"{name} segmentation")
        attach(uncertaintyNode(values if case else 0 * values, volume, f"{name} uncertainty"), volume, UNCERTAINTY)
    panel.ui.resultsStep.collapsed = False
    host.process_events(0.1)
    panel.ui.measureButton.click()
    while panel.runner.busy:
        host.process_events(0.02)
    panel.ui.labelStep.collapsed = True
    host.process_events(0.1)
    assert panel.ui.volumesTable.rowCount == 4  # two organs each
    return panel.session.cases()


def row_of(panel, name):
    table = panel.ui.volumesTable
    return next(row for row in range(table.rowCount) if table.item(row, 1).text().startswith(name))


def shows_the_slice_to_correct(panel, case):
    assert not panel.ui.labelStep.collapsed
    assert panel.labels.case == case and panel.labels.shown_slice() == (2, 7)
    np.testing.assert_array_equal(painted(panel, 2, 7, case=1), box()[:, :, 7])


def test_a_double_click_on_a_row_shows_the_least_sure_slice_in_step_2(panel, results, host):
    host.hands.double_click_cell(panel.ui.volumesTable, row_of(panel, results[1]), 1)
    host.process_events(0.1)

    shows_the_slice_to_correct(panel, results[1])


@pytest.mark.parametrize("key", ["Return", "Enter"])
def test_the_enter_key_does_it_too(panel, results, host, key):
    table = panel.ui.volumesTable
    host.hands.click_cell(table, row_of(panel, results[1]), 1)
    assert panel.ui.labelStep.collapsed  # a click alone only looks
    view = panel.labels.slice_node().GetLayoutName().lower()
    told = f"Look there first: the {view} view shows the slice where the model is least sure"
    assert panel.ui.lookLabel.text.startswith(told)
    table.setFocus()
    host.hands.press(key, table)
    host.process_events(0.1)

    shows_the_slice_to_correct(panel, results[1])


def test_the_button_does_it_too_and_says_what_it_needs(panel, results, host):
    button = panel.ui.correctButton
    panel.ui.volumesTable.clearSelection()
    panel.ui.volumesTable.setCurrentCell(-1, -1)
    panel.refresh()
    assert not button.enabled and "Choose a row" in button.toolTip

    host.hands.click_cell(panel.ui.volumesTable, row_of(panel, results[1]), 1)
    host.hands.click(button)
    host.process_events(0.1)
    shows_the_slice_to_correct(panel, results[1])


def test_a_volume_that_is_not_of_the_open_study_is_not_corrected(panel, results, host):
    row = row_of(panel, results[1])
    panel.close_study()
    panel.ui.resultsStep.collapsed = False
    host.process_events(0.1)
    host.hands.double_click_cell(panel.ui.volumesTable, row, 1)
    host.process_events(0.1)

    assert "study in step 1 first" in panel.ui.resultsStatus.text
    assert not panel.ui.correctButton.enabled and panel.ui.labelStep.collapsed
