import io

from PIL import Image

from USLabelEfficientSegLib.report.pictures.training_chart import training_curves_png
from USLabelEfficientSegLib.report.pictures.value_charts import (
    Line,
    Point,
    bland_altman_png,
    on_pages,
    repeats_png,
    scatter_png,
    values_png,
)
from USLabelEfficientSegLib.study.events import Event


def size(png):
    return Image.open(io.BytesIO(png)).size


def test_training_curves_have_one_chart_a_stage():
    one = [Event("teacher", step, 9, losses={"dino": 1.0 + step}) for step in range(9)]
    four = one + [Event(f"stage {n}", 1, 1, losses={"total": 1.0}) for n in range(3)]

    assert training_curves_png([Event("teacher", 1, 1)]) is None
    assert size(training_curves_png(four))[1] == 2 * size(training_curves_png(one))[1]


def test_the_rounds_of_a_student_are_one_curve_after_the_other():
    rounds = [
        Event(f"student {number}.1", step, 4, losses={"labels": 0.5 + number + 0.1 * step})
        for number in (1, 2, 3)
        for step in (1, 2, 3, 4)
    ]
    whole = [Event("student", n + 1, 12, losses=event.losses) for n, event in enumerate(rounds)]
    of_another = [Event("student 1.2", 1, 4, losses={"labels": 1.0})]

    assert training_curves_png(rounds) == training_curves_png(whole)
    assert training_curves_png(rounds + of_another) != training_curves_png(rounds)


def test_volume_charts_accept_empty_organs_and_missing_intervals():
    empty = Point(1, 0.0, None, 0.0)

    for png in (
        scatter_png([empty], "volume", "ml"),
        bland_altman_png([empty], {}, ["a"], "ml"),
        values_png([[empty]], ["a"], "Volume, ml"),
        repeats_png({"1": [empty]}, "Volume, ml"),
    ):
        assert min(size(png)) > 300


def test_intervals_and_references_are_drawn():
    bare = [[Point(1, 20.0)], [Point(1, 30.0)]]
    with_interval = [[Point(1, 20.0, (15.0, 28.0))], [Point(1, 30.0, (22.0, 33.0))]]
    with_truth = [[Point(1, 20.0, None, 24.0)], [Point(1, 30.0, None, 24.0)]]

    pictures = {values_png(cases, ["a"], "Volume, ml") for cases in (bare, with_interval, with_truth)}
    assert len(pictures) == 3


def test_organs_have_charts_of_their_own():
    points = [Point(label, 10.0 * label, None, 9.0) for label in (1, 2, 3, 4)]
    organs = ["a", "b", "c", r"$\frac{"]  # no formula, whatever it looks like

    for chart in (
        lambda found: bland_altman_png(found, {}, organs, "ml"),
        lambda found: values_png([found], organs, "Volume, ml"),
    ):
        assert size(chart(points))[1] == size(chart(points[:3]))[1] == 2 * size(chart(points[:2]))[1]


def test_bland_altman_plots_have_their_values_and_bands():
    points = [Point(1, 10.0, None, 9.0), Point(1, 12.0, None, 13.0), Point(1, 20.0, None, 19.5)]

    pictures = {
        bland_altman_png(points, {1: [Line("bias", *values)]}, ["a"], "ml")
        for values in ((0.2, -1.0, 1.4), (0.2, -0.5, 0.9), (0.3, -1.0, 1.4))
    }

    assert len(pictures) == 3 and bland_altman_png(points, {}, ["a"], "ml") not in pictures


def test_organs_that_have_no_room_on_a_page_have_further_charts():
    points = [Point(label, 1.0) for label in range(1, 21) for _ in range(3)]

    assert on_pages(point.label for point in points) == [list(range(1, 9)), list(range(9, 17)), list(range(17, 21))]


def test_names_in_any_script_are_drawn_without_a_warning(recwarn):
    for name in ("肝臓", "🩺", "$\\frac{", "a\x1b[31mb", "κύστη"):
        values_png([[Point(1, 1.0)]], [name], "Volume, ml")
        repeats_png({name: [Point(1, 1.0), Point(1, 2.0)]}, "Volume, ml")

    assert [str(warning.message) for warning in recwarn] == []
