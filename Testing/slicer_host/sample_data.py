"""A stand-in for Slicer's Sample Data module: its register of sources."""

import sys
import types
from typing import Any

import slicer


class SampleDataSource:
    """A registered source, with the checks of Slicer's."""

    def __init__(self, sampleName: str, uris: list[str], fileNames: list[str], nodeNames: list[str], **more: Any):
        if not len(uris) == len(fileNames) == len(nodeNames):
            raise ValueError("All fields of sample data source must have the same length")
        self.sampleName, self.uris, self.fileNames, self.nodeNames = sampleName, uris, fileNames, nodeNames
        self.customDownloader = more.get("customDownloader")
        self.thumbnailFileName = more.get("thumbnailFileName")


class SampleDataLogic:
    """Of Slicer's class the registration."""

    @staticmethod
    def registerCustomSampleDataSource(category: str = "Custom", **source: Any) -> None:
        sources = slicer.modules.sampleDataSources.setdefault(category, [])
        made = SampleDataSource(**source)
        if made.sampleName not in [known.sampleName for known in sources]:
            sources.append(made)


def install() -> None:
    """Make `SampleData` importable."""
    slicer.modules.sampleDataSources = {}
    module = types.ModuleType("SampleData")
    module.SampleDataLogic, module.SampleDataSource = SampleDataLogic, SampleDataSource  # type: ignore[attr-defined]
    sys.modules["SampleData"] = module
