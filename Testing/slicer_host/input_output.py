"""`slicer.app.coreIOManager()`: what `slicer.util.load...`, `saveNode` and `saveScene` need."""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import slicer

_TYPE_OF_SUFFIX = {
    ".seg.nrrd": "SegmentationFile", ".seq.nrrd": "SequenceFile", ".nrrd": "VolumeFile", ".nhdr": "VolumeFile",
    ".nii.gz": "VolumeFile", ".nii": "VolumeFile", ".mha": "VolumeFile", ".csv": "TableFile", ".tsv": "TableFile",
    ".h5": "TransformFile", ".tfm": "TransformFile", ".mrml": "SceneFile", ".mrb": "SceneFile",
}  # fmt: skip
_CLASS_OF_TYPE = {
    "SegmentationFile": "vtkMRMLSegmentationNode",
    "SequenceFile": "vtkMRMLSequenceNode",
    "TableFile": "vtkMRMLTableNode",
    "TransformFile": "vtkMRMLTransformNode",
}


class CoreIOManager:
    """Reads and writes through the nodes' own storage nodes."""

    def fileType(self, path: str) -> str:
        suffixes = sorted(_TYPE_OF_SUFFIX, key=len, reverse=True)
        return next((_TYPE_OF_SUFFIX[s] for s in suffixes if str(path).lower().endswith(s)), "NoFile")

    def fileWriterFileType(self, node: Any, *_: Any) -> str:
        return "NodeFile"

    def loadNodes(self, file_type: str, properties: dict[str, Any], loaded: Any, messages: Any = None) -> bool:
        path = properties["fileName"]
        if file_type == "SceneFile":
            return self._load_scene(path, bool(properties.get("clear")))
        name = properties.get("name") or Path(path).name.split(".")[0]
        node = None
        if file_type == "VolumeFile":
            options = 1 if properties.get("labelmap") else 0
            node = slicer.modules.volumes.logic().AddArchetypeVolume(path, name, options)
        elif file_type in _CLASS_OF_TYPE:
            node = self._load_node(_CLASS_OF_TYPE[file_type], path, name)
        if node is not None:
            loaded.AddItem(node)
        return node is not None

    def saveNodes(self, file_type: str, properties: dict[str, Any], messages: Any = None) -> bool:
        path, scene = str(Path(properties["fileName"]).absolute()), slicer.mrmlScene
        if file_type == "SceneFile":
            scene.SetURL(path)
            scene.SetRootDirectory(str(Path(path).parent))
            return bool(scene.WriteToMRB(path) if path.endswith(".mrb") else scene.Commit(path))
        node = scene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(path)
        return bool(node.GetStorageNode().WriteData(node))

    def _load_scene(self, path: str, clear: bool) -> bool:
        if path.endswith(".mrb"):
            folder = tempfile.mkdtemp()
            with zipfile.ZipFile(path) as bundle:
                bundle.extractall(folder)
            path = str(next(Path(folder).glob("*/*.mrml")))
        slicer.mrmlScene.SetURL(path)
        return bool(slicer.mrmlScene.Connect() if clear else slicer.mrmlScene.Import())

    def _load_node(self, class_name: str, path: str, name: str) -> Any:
        node = slicer.mrmlScene.AddNewNodeByClass(class_name, slicer.mrmlScene.GenerateUniqueName(name))
        sequence = class_name == "vtkMRMLSequenceNode"
        storage = slicer.vtkMRMLVolumeSequenceStorageNode() if sequence else node.CreateDefaultStorageNode()
        storage.SetFileName(path)
        slicer.mrmlScene.AddNode(storage)
        node.SetAndObserveStorageNodeID(storage.GetID())
        if not storage.ReadData(node):
            slicer.mrmlScene.RemoveNode(node)
            return None
        if hasattr(node, "CreateDefaultDisplayNodes"):
            node.CreateDefaultDisplayNodes()
        return node
