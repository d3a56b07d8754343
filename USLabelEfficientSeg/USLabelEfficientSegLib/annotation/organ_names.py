"""When two names are one organ's."""

import re
import unicodedata

_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015]+")


def folded(name: str) -> str:
    """A name without that in which people write it differently."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return _SEPARATORS.sub(" ", text).strip()
