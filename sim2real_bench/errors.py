"""Everything this package raises on purpose: what happened, with which values, and what to do next."""


class Sim2RealError(Exception):
    """Base of all errors a user can cause or mend."""


class ConfigurationError(Sim2RealError, ValueError):
    """An argument or a file from outside holds a value that cannot be used."""


class UnknownNameError(ConfigurationError):
    """A name is not registered; the message suggests the nearest ones."""


class PlugInError(Sim2RealError):
    """A name that another installed package brings cannot be used: the package is broken, or the name is taken."""


class MissingDependencyError(Sim2RealError):
    """A library, system package or asset is not installed; the message holds the command that installs it."""


class DataError(Sim2RealError):
    """A data set cannot be read, or does not hold what a method asks for."""


class CheckpointError(Sim2RealError):
    """A checkpoint or its card cannot be read, or does not fit the network."""


class ForeignFileError(Sim2RealError):
    """A file from outside is too large, damaged, or not what it should be.

    Args:
        problems: one line each, ``file:line:field: message``.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else ""))
        self.problems = problems

    def __reduce__(self) -> tuple[type["ForeignFileError"], tuple[tuple[str, ...]]]:
        return type(self), (self.problems,)


class RecordError(Sim2RealError):
    """A results folder cannot be read, or belongs to another plan."""


class AgentError(Sim2RealError):
    """An agent raised, or answered with something that is not an action."""


class ClusterError(Sim2RealError):
    """A cluster cannot be reached, is too small, or its machines do not hold the same software; ends a run."""


class SimulatorError(Sim2RealError):
    """A simulator failed; an episode it hit is repeated, not scored."""


class StartupTimeoutError(SimulatorError):
    """A simulator did not answer in time after it was started."""


class ConnectionLostError(SimulatorError):
    """A simulator ended or closed its connection."""


class StepTimeoutError(SimulatorError):
    """A simulator did not finish one step in time."""


class SettingsChangedError(SimulatorError):
    """A simulator does not hold the settings it was given (for example after a map load)."""


class StepFailedError(Sim2RealError):
    """A command of a recipe failed; the message holds the end of its log."""
