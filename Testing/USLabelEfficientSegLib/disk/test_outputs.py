"""What may be replaced, and how files take their places."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import USLabelEfficientSegLib
from USLabelEfficientSegLib.disk.outputs import Outputs, is_own
from USLabelEfficientSegLib.errors import InputError

LIBRARY = os.path.dirname(os.path.dirname(USLabelEfficientSegLib.__file__))
NOT_OURS = "exists already, and was not written by this program or was edited since"


def write(path, text="result", **options):
    with Outputs(**options).written(path) as (temporary,):
        temporary.write_text(text)


@pytest.fixture
def link(tmp_path):
    """A link to a file that does not exist yet, in another folder."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "elsewhere" / "real.csv")
    return tmp_path / "link.csv"


def test_an_own_result_is_replaced_and_told(tmp_path):
    path = tmp_path / "new" / "t.csv"
    said: list[str] = []
    write(path, "first", tell=said.append)
    assert said == []

    write(path, "second", tell=said.append)

    assert path.read_text() == "second" and said == [f"Replacing {path}."]
    assert [entry.name for entry in path.parent.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("change", ["edited", "foreign", "moved here"])
def test_what_somebody_else_wrote_or_edited_needs_overwrite(tmp_path, change):
    path = tmp_path / "t.csv"
    if change == "edited":
        write(path)
        path.write_text("corrected by hand")
    elif change == "foreign":
        path.write_text("somebody's")
    else:
        write(tmp_path / "other.csv", "unlike any result of this name")
        (tmp_path / "other.csv").rename(path)
    before = path.read_bytes()

    with pytest.raises(InputError, match=NOT_OURS):
        Outputs().claim(path)
    assert path.read_bytes() == before

    write(path, "new", overwrite=True)
    assert path.read_text() == "new" and is_own(path)


def test_a_file_that_appears_during_the_work_is_not_replaced(tmp_path):
    path = tmp_path / "t.csv"

    with pytest.raises(InputError, match=NOT_OURS), Outputs().written(path) as (temporary,):
        temporary.write_text("result")
        path.write_text("somebody's")

    assert path.read_text() == "somebody's"


def test_an_error_leaves_all_files_as_they_were(tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    write(one, "old")

    with pytest.raises(ZeroDivisionError), Outputs().written(one, two) as temporary:
        temporary[0].write_text("new")
        raise ZeroDivisionError

    assert one.read_text() == "old" and sorted(tmp_path.iterdir()) == [one]


@pytest.mark.parametrize("place", ["t.csv", "run/t.csv", "../study/t.csv", "images/../t.csv"])
def test_nothing_is_written_into_a_study(tmp_path, place):
    study = tmp_path / "study"
    (study / "images").mkdir(parents=True)
    (study / "study.json").write_text("{}")

    for overwrite in (False, True):
        with pytest.raises(InputError, match="is inside the study"):
            Outputs(overwrite).claim(study / place)


def test_a_link_does_not_lead_into_a_study(tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    (study / "study.json").write_text("{}")
    (tmp_path / "folder").symlink_to(study)
    (tmp_path / "file.csv").symlink_to(study / "study.json")

    for path in (tmp_path / "folder" / "t.csv", tmp_path / "file.csv"):
        with pytest.raises(InputError, match="is inside the study"):
            Outputs(overwrite=True).claim(path)
    assert (study / "study.json").read_text() == "{}"


def test_an_input_is_never_replaced_also_by_another_name(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("input")
    (tmp_path / "link.csv").symlink_to(source)

    for path in (source, tmp_path / "link.csv", tmp_path / "." / "in.csv"):
        with pytest.raises(InputError, match="is read by this command"):
            Outputs(overwrite=True, inputs=[source]).claim(path)


def test_an_image_in_a_folder_that_is_read_is_never_replaced_and_a_table_beside_it_may_be(tmp_path):
    (tmp_path / "a.nii.gz").write_text("image")
    (tmp_path / "t.csv").write_text("table")

    with pytest.raises(InputError, match="is read by this command"):
        Outputs(overwrite=True, inputs=[tmp_path]).claim(tmp_path / "a.nii.gz")
    Outputs(overwrite=True, inputs=[tmp_path]).claim(tmp_path / "t.csv", tmp_path / "new.nrrd")


def test_a_link_stays_a_link(link):
    write(link, "through")
    write(link, "again")

    assert link.is_symlink() and link.resolve().read_text() == "again"
    assert [entry.name for entry in link.resolve().parent.iterdir()] == ["real.csv"]


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_private_file_stays_private(tmp_path, mode):
    path = tmp_path / "t.csv"
    write(path, "old")
    path.chmod(mode)

    write(path, "new")

    assert path.read_text() == "new" and stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_new_file_has_the_permissions_that_the_user_wants(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "t.csv")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "t.csv").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="named pipes of POSIX")
def test_a_pipe_is_streamed_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()

    write(pipe, "through a pipe" * 10_000)

    reader.join()
    assert read == ["through a pipe" * 10_000] and pipe.is_fifo()


@pytest.mark.skipif(os.name == "nt", reason="devices of POSIX")
def test_devices_take_what_they_are_given(tmp_path):
    from pathlib import Path

    write(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
    program = (
        "from pathlib import Path; from USLabelEfficientSegLib.disk.outputs import Outputs\n"
        "with Outputs().written(Path('/dev/stdout')) as (t,): t.write_text('streamed')"
    )
    with (tmp_path / "kept").open("wb") as kept:
        subprocess.run([sys.executable, "-c", program], check=True, stdout=kept, cwd=LIBRARY)
    assert (tmp_path / "kept").read_text() == "streamed"


def test_what_a_killed_command_left_is_swept_and_what_a_running_one_uses_is_not(tmp_path):
    program = (
        "import os; from pathlib import Path; from USLabelEfficientSegLib.disk.outputs import Outputs\n"
        f"with Outputs().written(Path({str(tmp_path / 'killed.csv')!r})) as (t,):\n"
        "    t.write_text('half'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program], check=False, cwd=LIBRARY)
    (left,) = tmp_path.iterdir()
    (tmp_path / ".uslabelseg-notes").mkdir()

    with Outputs().written(tmp_path / "running.csv") as (temporary,):
        temporary.write_text("result")
        write(tmp_path / "next.csv")
        assert not left.exists() and temporary.exists()

    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".uslabelseg-notes", "next.csv", "running.csv"]


def test_what_a_running_command_has_locked_and_not_yet_signed_is_not_swept(tmp_path, monkeypatch):
    from USLabelEfficientSegLib.disk import lock

    write_text = lock._write_text
    seen: list[Path] = []

    def looked_at(descriptor, text):
        monkeypatch.setattr(lock, "_write_text", write_text)
        write(tmp_path / "other.csv")
        seen.extend(path for path in tmp_path.iterdir() if path.is_dir())
        write_text(descriptor, text)

    monkeypatch.setattr(lock, "_write_text", looked_at)
    write(tmp_path / "t.csv", "all of it")

    assert len(seen) == 1 and (tmp_path / "t.csv").read_text() == "all of it"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.csv", "t.csv"]


def test_killed_between_two_renames_the_next_command_may_replace_both(tmp_path, monkeypatch):
    one, two = tmp_path / "1", tmp_path / "2"
    for path in (one, two):
        write(path, "old")

    def killed_at_the_second(source, target, replace=os.replace):
        if os.fspath(target) == str(two):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt), Outputs().written(one, two) as temporary:
        for path in temporary:
            path.write_text("new")
    monkeypatch.undo()
    assert (one.read_text(), two.read_text()) == ("new", "old")

    Outputs().claim(one, two)


def test_a_place_that_cannot_be_written_is_found_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()

    with pytest.raises(InputError, match="is a file; choose another folder"):
        Outputs().claim(tmp_path / "file" / "t.csv")
    with pytest.raises(InputError, match="is a folder; give the name of a file"):
        Outputs().claim(tmp_path / "folder")


def test_without_memory_a_result_is_written_and_is_not_ours_later(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("USLABELSEG_STATE", str(tmp_path / "file" / "below"))

    write(tmp_path / "t.csv")

    assert (tmp_path / "t.csv").read_text() == "result"
    with pytest.raises(InputError, match="--overwrite"):
        Outputs().claim(tmp_path / "t.csv")


def test_a_study_takes_its_own_pages_and_nothing_else(tmp_path):
    (tmp_path / "study.json").write_text("{}")

    with Outputs(pages_of=tmp_path).written(tmp_path / "report.html") as (page,):
        page.write_text("page")

    assert (tmp_path / "report.html").read_text() == "page"
    with pytest.raises(InputError, match="is inside the study"):
        Outputs(True, pages_of=tmp_path).claim(tmp_path / "study.json")
