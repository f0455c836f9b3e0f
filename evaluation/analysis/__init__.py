"""Section 3.2 of the task-distillation paper, measured: why one transfer method drives farther than another."""
