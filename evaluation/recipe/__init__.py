"""Chains of the package's own commands: skipped where their results exist, resumed, logged, run unattended."""
