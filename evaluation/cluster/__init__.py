"""Evaluations on more than one machine: the executor for a Ray cluster that runs already."""
