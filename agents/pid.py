"""PID control with an explicit time step, and the benchmark's versioned set of five controllers."""

from collections import deque
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from sim2real_bench.errors import ConfigurationError, ForeignFileError
from sim2real_bench.untrusted import parse_model, read_bounded

CONTROLLERS_FILE = Path(__file__).with_name("controllers_v1.json")
MAX_CONTROLLERS_BYTES = 1 << 20


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PidGains(_Frozen):
    """Gains of one PID loop.

    Attributes:
        kp: proportional gain.
        ki: gain of the windowed integral.
        kd: derivative gain, seconds.
        window: newest errors that the integral looks at.
    """

    kp: float = Field(ge=0.0, allow_inf_nan=False)
    ki: float = Field(ge=0.0, allow_inf_nan=False)
    kd: float = Field(ge=0.0, allow_inf_nan=False)
    window: int = Field(ge=1)


class ControllerSettings(_Frozen):
    """One of the benchmark's controllers.

    Attributes:
        id: 0 to 4.
        look_ahead_m: how far along the path the target point lies, metres from the ego origin.
        steering: from the heading error of the target point (radians, positive right) to steering in [-1, 1].
        speed: from the speed error (m/s) to throttle and brake.
        scores: what the tuning measured, by name.
    """

    id: int = Field(ge=0)
    look_ahead_m: float = Field(gt=0.0, allow_inf_nan=False)
    steering: PidGains
    speed: PidGains
    scores: dict[str, float] = Field(default_factory=dict)


class ControllerSet(_Frozen):
    """A versioned file of controllers.

    Attributes:
        version: of the set; results name it.
        command: what made the file.
        plant: what the controllers were tuned on.
        dt_s: the time step they were tuned for, seconds.
        target_speed_mps: the speed they were tuned for.
        controllers: in the order of their ids.
    """

    version: int
    command: str
    plant: str
    dt_s: float
    target_speed_mps: float
    controllers: tuple[ControllerSettings, ...]


class PidController:
    """One PID loop, u = Kp e + Ki mean(e) dt + Kd de/dt, clamped.

    The integral is the mean of the newest ``window`` errors times the time step, as in the released controller of
    task distillation and Learning by Cheating: it cannot wind up, and it acts like a slow proportional term.

    Args:
        gains: the gains.
        dt_s: time between two calls, seconds.
        lower: smallest output.
        upper: largest output.
    """

    def __init__(self, gains: PidGains, dt_s: float, lower: float = -1.0, upper: float = 1.0) -> None:
        if dt_s <= 0.0 or lower >= upper:
            raise ConfigurationError(
                f"PID with dt_s={dt_s}, output [{lower}, {upper}]: the time step must be positive, the range not empty"
            )
        self.gains, self.dt_s, self.lower, self.upper = gains, dt_s, lower, upper
        self._errors: deque[float] = deque(maxlen=gains.window)

    def reset(self) -> None:
        """Forget the past errors."""
        self._errors.clear()

    def step(self, error: float) -> float:
        """The output for this time step's error."""
        previous = self._errors[-1] if self._errors else error
        self._errors.append(error)
        integral = sum(self._errors) / len(self._errors) * self.dt_s
        derivative = (error - previous) / self.dt_s
        output = self.gains.kp * error + self.gains.ki * integral + self.gains.kd * derivative
        return min(max(output, self.lower), self.upper)


def read_controllers(path: Path = CONTROLLERS_FILE) -> ControllerSet:
    """Read a file of controllers.

    Raises:
        ConfigurationError: it is missing, no valid JSON, or its ids are not 0, 1, 2, ... in order.
    """
    try:
        result = parse_model(ControllerSet, read_bounded(path, MAX_CONTROLLERS_BYTES), path.name)
    except (OSError, ForeignFileError) as error:
        raise ConfigurationError(
            f"cannot read the controllers in {path}: {error}; "
            "make the file with: python -m sim2real_bench.agents.tune_controllers"
        ) from error
    ids = [controller.id for controller in result.controllers]
    if not ids or ids != list(range(len(ids))):
        raise ConfigurationError(f"controllers in {path} have the ids {ids}; expected 0, 1, 2, ... in order")
    return result


CONTROLLERS: tuple[ControllerSettings, ...] = read_controllers().controllers
"""The benchmark's controllers, by id."""


def controller_settings(controller: int) -> ControllerSettings:
    """The benchmark's controller of an id.

    Raises:
        ConfigurationError: no such id.
    """
    if not 0 <= controller < len(CONTROLLERS):
        raise ConfigurationError(f"controller {controller}: choose one of 0 to {len(CONTROLLERS) - 1}")
    return CONTROLLERS[controller]
