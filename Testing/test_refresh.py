"""Bringing the panel up to date takes work in proportion to the volumes; work is counted, not timed."""

import pytest
from counted_work import instructions_of
from large_studies import open_large_study
from random_user import MODULE


@pytest.fixture
def panel_with(host, tmp_path):
    """Opens a study of so many volumes."""

    def opened(volumes):
        host.clear_scene()
        folder = tmp_path / str(volumes)
        folder.mkdir()
        return open_large_study(folder, volumes).panel

    yield opened
    host.close_module(MODULE)


def test_a_refresh_is_linear_in_the_number_of_volumes(panel_with):
    work = [instructions_of(panel_with(volumes).refresh) for volumes in (30, 60, 90)]
    first, second = work[1] - work[0], work[2] - work[1]

    assert second < 1.05 * first
    assert second / 30 < 5000  # instructions a volume


def test_a_refresh_summarises_the_study_once_or_twice_and_reads_no_image(panel_with, monkeypatch):
    from USLabelEfficientSegLib.study.study import Study

    panel = panel_with(20)
    summaries, readings = [], []
    summary = Study.summary

    def counted(study):
        summaries.append(study)
        return summary(study)

    monkeypatch.setattr(Study, "summary", counted)
    for name in ("read_scan", "read_labels"):
        monkeypatch.setattr(Study, name, lambda study, case: readings.append(case))

    panel.refresh()

    assert len(summaries) <= 2
    assert not readings
