"""The folder of this program in the user's own files: what it remembers between commands, and its logs.

`USLABELSEG_STATE` names another folder. By default it is where the system wants such files: `%LOCALAPPDATA%` on
Windows, `~/Library/Application Support` on macOS, else `$XDG_STATE_HOME` or `~/.local/state`.
"""

import os
import sys
from pathlib import Path


def user_folder() -> Path:
    """The folder, which need not exist yet."""
    if chosen := os.environ.get("USLABELSEG_STATE"):
        return Path(chosen)
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "uslabelseg"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "uslabelseg"
    return Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "uslabelseg"
