import numpy as np
import pytest

from USLabelEfficientSegLib.annotation.image_choice import appearance, choose_images
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan

# Three images around 0, two around 10, and one far away from all others.
LOOKS = np.array([[0.0], [0.1], [0.2], [10.0], [10.3], [17.0]])
NONE = np.zeros(6, dtype=bool)


def image(picture):
    geometry = Geometry((*picture.shape, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    return Scan(picture[..., None], geometry, "a")


def test_each_image_stands_for_others_and_an_outlier_for_itself_alone():
    first, second, third = choose_images(LOOKS, NONE, 3)

    assert {first, second} == {1, 3} or (first, second) == (3, 1)
    assert third == 5


def test_what_looks_like_a_labelled_image_is_not_chosen():
    labelled = np.array([False, True, False, False, False, False])

    assert choose_images(LOOKS, labelled, 1) in ([3], [4])
    assert len(choose_images(LOOKS, labelled, 100)) == 5


def test_an_image_like_those_that_a_model_is_unsure_of_is_chosen():
    labelled = np.array([False, False, False, True, False, False])
    unsure = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])

    assert choose_images(LOOKS, labelled, 1) == [1]
    assert choose_images(LOOKS, labelled, 1, weights=unsure) == [5]


def test_asking_one_at_a_time_gives_the_same_images():
    together, labelled, one_by_one = choose_images(LOOKS, NONE, 4), NONE.copy(), []
    for _ in range(4):
        (number,) = choose_images(LOOKS, labelled, 1)
        labelled[number] = True
        one_by_one.append(number)

    assert one_by_one == together


def test_nothing_left_or_nothing_asked_for_is_refused():
    with pytest.raises(InputError, match="no image left: all are labelled"):
        choose_images(LOOKS, ~NONE, 1)
    with pytest.raises(InputError, match="not at least 1"):
        choose_images(LOOKS, NONE, 0)


def test_brightness_and_contrast_do_not_change_what_an_image_looks_like():
    picture = np.random.default_rng(0).uniform(20, 90, (40, 30)).astype(np.float32)

    same, other = appearance(image(2 * picture + 7)), appearance(image(picture[::-1]))

    np.testing.assert_allclose(same, appearance(image(picture)), atol=1e-4)
    assert np.linalg.norm(other - same) > 0.5 and np.linalg.norm(same) == pytest.approx(1, abs=1e-5)
