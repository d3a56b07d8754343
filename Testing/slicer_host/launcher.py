"""`PythonSlicer`, which Slicer puts on the path: CTK's launcher, between Slicer and the real Python.

As the real one (CTKAppLauncher), it exits as its child has exited; of a child that was killed it only says "exit
abnormally", and exits with 1. A signal to the launcher alone does not reach the child.
"""

import os
import sys
from pathlib import Path

_PROGRAM = """#!{python} -IS
import subprocess, sys
code = subprocess.call([{python!r}, *sys.argv[1:]])
if code < 0:
    print("error: [{python}] exit abnormally - Report the problem.", file=sys.stderr)
    sys.exit(1)
sys.exit(code)
"""


def install(folder: Path) -> None:
    """Put the launcher on the path of this process, where the system can run it."""
    if sys.platform == "win32":
        return
    launcher = folder / "PythonSlicer"
    launcher.write_text(_PROGRAM.format(python=sys.executable), encoding="utf-8")
    launcher.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join([str(folder), os.environ.get("PATH", "")])
