"""A plug-in of sim2real-bench: one of everything that can be added from outside."""
