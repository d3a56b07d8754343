"""The provenance in a model file: enough to know the model again, without a name, a path or a date.

The model file is given to others, who must not learn who the subjects were. It holds checksums of the study's images
and labels, which reveal nothing of them. Names, which `calibrate` compares, are kept only as salted digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePath, PureWindowsPath
from typing import Any

_ROUNDS = 20_000  # of the digest: 5 ms a name, so that lists of names are slow to try


def without_names(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a provenance that a model file may hold; an earlier version may have written the provenance.

    Args:
        provenance: `settings`, checksums of `images` and `labels` by name, perhaps what it was `continued_from`.
    """
    public = dict(provenance)
    images, labels = provenance.get("images"), provenance.get("labels")
    if isinstance(images, Mapping):
        public["images"] = sorted(images.values())
    if isinstance(labels, Mapping):
        public["labels"] = sorted(labels.values())
        salt = _salt(public.get("images", ()))
        public["labelled"] = sorted(_digest(name, salt) for name in labels)
    if isinstance(provenance.get("settings"), Mapping):
        public["settings"] = _without_folders(provenance["settings"])
    if isinstance(provenance.get("continued_from"), Mapping):
        public["continued_from"] = without_names(provenance["continued_from"])
    return public


def knows_labels_of(provenance: Mapping[str, Any], name: str) -> bool:
    """Whether a model has learnt from labels of a case of this name, as far as its provenance tells."""
    labels = provenance.get("labels", ())
    if isinstance(labels, Mapping):  # of an earlier version
        return name in labels
    labelled = provenance.get("labelled", ())
    return bool(labelled) and _digest(name, _salt(provenance.get("images", ()))) in labelled


def _salt(images: Any) -> bytes:
    """A salt that differs between studies and is equal for equal ones: a training is repeated to the byte."""
    return hashlib.sha256(repr(sorted(map(str, images))).encode()).digest()


def _digest(name: str, salt: bytes) -> str:
    return hashlib.pbkdf2_hmac("sha256", name.encode("utf-8", errors="surrogatepass"), salt, _ROUNDS).hex()[:32]


def _without_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with only the names of files: their folders would tell who works where."""
    shortened: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            shortened[key] = _without_folders(value)
        elif key.endswith("weights") and isinstance(value, str):
            shortened[key] = PureWindowsPath(PurePath(value).name).name
        else:
            shortened[key] = value
    return shortened
