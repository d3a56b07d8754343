"""The parts of the pipeline: a run, its rounds, its slice teachers, and what follows a training."""
