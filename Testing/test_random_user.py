"""A user who does anything at any time meets no exception, and leaves no process and no observer behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from random_user import MODULE, RandomUser, child_processes, make_studies, observers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.filterwarnings("ignore:.*255 is taken for the organ")
def test_a_random_user_meets_no_exception_and_leaves_no_process_and_no_observer(host, tmp_path, seed):
    host.close_module(MODULE)  # the panel of an earlier test goes when the user's is loaded
    before = observers()
    user = RandomUser(seed, tmp_path)
    try:
        user.act(40)
    finally:
        user.close()

    assert len(user.done) == 40 and not host.errors
    assert not child_processes()
    assert observers() == before


@pytest.mark.filterwarnings("ignore:.*255 is taken for the organ")
def test_so_does_one_whose_slicer_lacks_the_packages(tmp_path):
    make_studies(tmp_path)
    program = Path(__file__).with_name("one_random_user.py")

    done = subprocess.run(
        [sys.executable, str(program), "3", "40", str(tmp_path), "--without-packages"], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found.pop("done")) == 40 and found.pop("blocked")
    assert found == {"exception": "", "orphans": 0, "leaked": 0}
