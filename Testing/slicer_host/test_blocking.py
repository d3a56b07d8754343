"""What has blocked the event loop is told with its slot, and with the job that the slot worked on."""

import time


def test_a_slot_that_takes_long_is_told_with_its_name_and_its_job(host):
    import qt

    from slicer_host import blocking

    class Runner:
        job: object = None

        def step(self) -> None:
            self.job, job = None, self.job  # over, when the slot returns
            assert job is not None
            time.sleep(0.02)

    class Job:
        title, doing = "Segmentation", "reading"

    runner, button = Runner(), qt.QPushButton()
    runner.job = Job()
    blocking.longest.clear()
    button.connect("clicked()", runner.step)
    button.click()

    (told,) = [one for one in blocking.longest if "Runner.step" in one.slot]
    assert told.slot.endswith("Runner.step (Segmentation reading)")
    assert told.seconds >= 0.02
