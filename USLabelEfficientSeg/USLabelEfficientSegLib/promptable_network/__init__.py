"""The promptable network: it knows organs in ultrasound, and is asked by drawing."""
