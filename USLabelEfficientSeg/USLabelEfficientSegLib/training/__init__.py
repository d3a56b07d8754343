"""Training of any network: loop, checkpoint, optimisation, devices, threads and processes."""
