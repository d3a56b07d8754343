"""A worker to ask."""

from collections.abc import Mapping
from typing import Any

import pytest

from USLabelEfficientSegLib.serving.answering import Answering
from USLabelEfficientSegLib.serving.networks import Networks


@pytest.fixture
def ask():
    """Asks one worker, without its process; returns the result and the records."""
    answering = Answering(Networks())
    records: list[Mapping[str, Any]] = []

    def ask(verb, **arguments):
        return answering(verb, arguments, records.append)

    ask.records = records  # type: ignore[attr-defined]
    return ask
