"""Names of cases are texts, never paths: which names are allowed, and which file names stand for them.

A study may come from somebody else. A name that looks like a path is refused where the study is read; any other becomes
a file name that is legal everywhere (Naming Files, Paths, and Namespaces, learn.microsoft.com).
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

LONGEST_NAME = 255  # characters
_LONGEST_STEM = 120  # bytes: room for a suffix and for the folders above
_ILLEGAL = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[\d¹²³]|lpt[\d¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)


def name_problem(name: str) -> str | None:
    """Why a text cannot name a case, as a clause that follows the text; None if it can."""
    if not name.strip():
        return "is empty"
    if len(name) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} characters"
    if name in (".", "..") or re.search(r"[/\\\x00]", name) or re.match(r"[A-Za-z]:", name):
        return "looks like a path"
    if any("\ud800" <= character <= "\udfff" for character in name):
        return "is no valid text"
    return None


def names_problem(names: Sequence[str]) -> str | None:
    """Why texts cannot name the cases of one study, as a sentence; None if they can."""
    seen: set[str] = set()
    for name in names:
        if problem := name_problem(name):
            return f"the name {name[:80]!r} {problem}"
        if name in seen:
            return f"two cases have the name {name!r}"
        seen.add(name)
    return None


def safe_file_name(name: str) -> str:
    """A file name without suffix for a case: its name where that is legal everywhere, else a readable one.

    Some systems take file names for one that differ only in case or in the composition of their letters:
    `safe_stems` names a group of cases.
    """
    stem = _legal(name)
    return stem if stem == unicodedata.normalize("NFC", name) else f"{stem}-{_digest(name)}"


def safe_stems(names: Iterable[str]) -> list[str]:
    """File names without suffix: readable, legal everywhere, different even where case does not count."""
    taken: set[str] = set()
    stems = []
    for name in names:
        stem = _legal(name)
        number, unique = 1, stem
        while unique.casefold() in taken:
            number += 1
            unique = f"{stem}-{number}"
        taken.add(unique.casefold())
        stems.append(unique)
    return stems


def _legal(name: str) -> str:
    stem = _ILLEGAL.sub("_", unicodedata.normalize("NFC", name)).strip(" .") or "_"
    stem = stem.encode("utf-8", errors="replace")[:_LONGEST_STEM].decode("utf-8", errors="ignore").rstrip(" .")
    return f"_{stem}" if _RESERVED.fullmatch(stem) else stem


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", errors="surrogatepass")).hexdigest()[:12]
