"""Nodes by what is noted on them: found without walking, and never wrongly."""

import pytest

KEY = "key"


@pytest.fixture
def index(host):
    from USLabelEfficientSegLib.slicer_side.nodes.node_index import NodeIndex

    return NodeIndex("vtkMRMLTextNode", lambda node: [node.GetAttribute(KEY)] if node.GetAttribute(KEY) else [])


def make(key):
    import slicer

    node = slicer.vtkMRMLTextNode()
    node.SetAttribute(KEY, key)
    return slicer.mrmlScene.AddNode(node)


def test_nodes_are_found_in_the_order_of_the_scene(index):
    first, other, second = make("a"), make("b"), make("a")

    assert index.nodes("a") == [first, second]
    assert index.nodes("b") == [other]
    assert index.nodes("c") == []


def test_a_node_that_comes_later_is_found_and_one_that_goes_is_not(index):
    import slicer

    gone = make("a")
    assert index.nodes("a") == [gone]
    slicer.mrmlScene.RemoveNode(gone)
    assert index.nodes("a") == []

    new = make("a")
    assert index.nodes("a") == [new]


def test_a_node_that_has_lost_its_note_is_not_returned(index):
    node = make("a")
    assert index.nodes("a") == [node]

    node.SetAttribute(KEY, "b")

    assert index.nodes("a") == []
    assert index.nodes("b") == [node]


def test_a_note_made_later_is_found_once_it_is_told(index):
    node = make("a")
    assert index.nodes("b") == []

    node.SetAttribute(KEY, "b")
    index.noted(node)

    assert index.nodes("b") == [node]


def test_a_closed_scene_has_none(index, host):
    make("a")
    assert index.nodes("a")
    host.clear_scene()

    assert index.nodes("a") == []


def test_looking_up_does_not_walk_through_the_scene_again(index, monkeypatch):
    import slicer

    nodes = [make("a") for _ in range(3)]
    assert index.nodes("a") == nodes
    monkeypatch.setattr(slicer.util, "getNodesByClass", lambda *_: pytest.fail("walked"))

    assert index.nodes("a") == nodes
    assert index.nodes("b") == []


def test_new_nodes_are_added_without_a_walk_in_the_order_of_the_scene(index, monkeypatch):
    import slicer

    first, other = make("a"), make("b")
    assert index.nodes("a") == [first]
    monkeypatch.setattr(slicer.util, "getNodesByClass", lambda *_: pytest.fail("walked"))

    second = make("a")
    assert index.nodes("a") == [first, second]
    other.SetAttribute(KEY, "a")
    index.noted(other)
    assert index.nodes("a") == [first, other, second] and index.nodes("b") == []


def test_a_node_that_takes_the_place_of_a_removed_one_is_found(index):
    import slicer

    first, last = make("a"), make("a")
    assert index.nodes("a") == [first, last]
    slicer.mrmlScene.RemoveNode(last)
    new = [make("a"), make("a")]

    assert index.nodes("a") == [first, *new]


def test_nodes_of_a_scene_that_was_loaded_anew_are_found_although_their_identifiers_are_the_same(index, host):
    make("a")
    before = [node.GetID() for node in index.nodes("a")]
    host.clear_scene()
    again = [make("a"), make("b"), make("b")]

    assert index.nodes("a") == again[:1] and [again[0].GetID()] == before
    assert index.nodes("b") == again[1:]
