"""What the pipeline calls: a run, its rounds, its slice teachers, and what follows a training."""
