"""How long Slicer's event loop is blocked while the panel works with volumes of clinical size, in the test host.

Two volumes of 256 x 256 x 200 voxels become a study, are labelled, loaded anew, segmented by a tiny model, measured and
exported, by clicks. Every slot of the module is timed. The longest are printed, with the processor time that they took
themselves (a busy machine prolongs only the other).

    .venv/bin/python benchmarks/event_loop.py
"""
