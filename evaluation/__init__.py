"""Judging: plans, the runner, records, metrics, statistics, tables."""
