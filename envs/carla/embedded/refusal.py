"""The answer to a well-formed request that cannot be granted."""

from sim2real_bench.errors import SimulatorError


class RefusedError(SimulatorError):
    """A well-formed request cannot be granted; the text is for the client's user."""
