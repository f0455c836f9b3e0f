"""Data sets: rollouts recorded from the simulators, on disk as one file per episode."""
