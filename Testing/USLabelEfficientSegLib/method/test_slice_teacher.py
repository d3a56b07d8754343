"""Every method has a slice teacher, and another teacher is a class and a line."""

from typing import get_args

import pytest
import torch
from trained_studies import CPU, stages

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.method.slice_teacher import SLICE_TEACHERS
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.study.settings import MethodName
from USLabelEfficientSegLib.study.stages import Stage


class Brightness:
    """A teacher that learns nothing: bright pixels are the first organ."""

    stages = (Stage.TEACHER,)
    without_labels = (Stage.TEACHER,)
    pseudo_label_folder = "brightness"

    def __init__(self, run):
        self.classes = len(run.study.organs) + 1

    @staticmethod
    def check(settings):
        pass

    @staticmethod
    def shared_batches(settings):
        return {}

    @staticmethod
    def seconds(settings):
        return {}

    def learn(self):
        yield Stage.TEACHER

    def learn_features(self):
        pass

    def predictors(self, volume):
        def predict(slices, numbers):
            rest = [torch.zeros_like(slices)] * (self.classes - 2)
            return torch.cat([1 - slices, slices, *rest], dim=1)

        return [predict]

    def features(self, volume):
        return None


@pytest.fixture
def by_brightness(monkeypatch):
    monkeypatch.setitem(SLICE_TEACHERS, "cross-dimensional", Brightness)


def test_every_method_has_a_teacher():
    assert set(SLICE_TEACHERS) == set(get_args(MethodName))


def test_another_teacher_takes_the_place_of_the_first(study, settings, by_brightness):
    model = train(study, settings, CPU)

    assert model is not None and model.organs == study.organs
    assert len(list((study.run_folder / "pseudo_labels" / "brightness").iterdir())) == len(study.cases)
    assert not {"teacher", "slice head"} & set(stages(study))


def test_a_stage_that_the_teacher_does_not_have_is_refused(study, settings, by_brightness):
    with pytest.raises(InputError, match="stage slice-head: is no part of the method cross-dimensional"):
        train(study, settings, CPU, until="slice-head")
    assert train(study, settings, CPU, until="teacher") is None
