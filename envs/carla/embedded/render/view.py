"""What the renderer is asked for and what it answers, in CARLA's frame and wire encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim2real_bench.errors import ConfigurationError, SimulatorError

Image = npt.NDArray[np.uint8]

MAX_IMAGE_SIDE = 4096
IMAGE_NAMES = ("rgb", "semantic", "depth", "instance")
DEFAULT_IMAGES = frozenset({"rgb", "semantic", "depth"})


@dataclass(frozen=True)
class CameraView:
    """A pinhole camera in CARLA's frame: x forward, y right, z up (metres); horizontal field of view; degrees.

    Yaw is clockwise seen from above, pitch positive upwards, roll positive to the right, as ``carla.Rotation``.

    Raises:
        ConfigurationError: a size or field of view that no image can have.
    """

    width: int
    height: int
    fov_deg: float
    x: float
    y: float
    z: float
    pitch_deg: float = 0.0
    yaw_deg: float = 0.0
    roll_deg: float = 0.0

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_IMAGE_SIDE and 1 <= self.height <= MAX_IMAGE_SIDE):
            raise ConfigurationError(
                f"camera image is {self.width}x{self.height} pixels; choose 1 to {MAX_IMAGE_SIDE} on each side"
            )
        if not 1.0 <= self.fov_deg <= 170.0:
            raise ConfigurationError(f"camera field of view is {self.fov_deg} degrees; choose 1 to 170")


@dataclass(frozen=True, slots=True)
class ActorLook:
    """How a moving actor is drawn: pose on the ground in CARLA's frame, body, paint, half size.

    ``x, y`` is the centre of the actor's box, ``z`` the ground below its wheels or feet; angles in degrees as
    ``carla.Rotation``; ``colour`` is RGB 0 to 255.

    Attributes:
        body: a name of ``town.bodies``.
        half_height: of the box, 0 = as the body is modelled.
        lights: flags of ``carla.VehicleLightState``.
        phase: of the gait or the pedals, radians.
        actor_id: shown by instance segmentation.
        visible: without, only its shadow and the light of its lamps on the road are seen (the camera is inside it).
    """

    x: float
    y: float
    z: float
    yaw_deg: float
    body: str
    colour: tuple[int, int, int]
    half_length: float
    half_width: float
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    lights: int = 0
    phase: float = 0.0
    actor_id: int = 0
    visible: bool = True
    half_height: float = 0.0


@dataclass(frozen=True)
class Images:
    """The images of one camera from one pass: (H, W, 4) uint8 BGRA, row 0 at the top, in CARLA's encoding.

    Attributes:
        made: the images that were asked for, by name (see ``IMAGE_NAMES``).
    """

    made: Mapping[str, Image]

    @property
    def rgb(self) -> Image:
        """The picture."""
        return self._image("rgb")

    @property
    def semantic(self) -> Image:
        """``CarlaClass`` in the red channel."""
        return self._image("semantic")

    @property
    def depth(self) -> Image:
        """Metres along the optical axis / 1000 as a 24-bit number, low byte in red, high byte in blue."""
        return self._image("depth")

    @property
    def instance(self) -> Image:
        """``CarlaClass`` in red, the low byte of the actor's id in green, the high byte in blue; 0 for what stands."""
        return self._image("instance")

    def _image(self, name: str) -> Image:
        if name not in self.made:
            raise SimulatorError(
                f"the {name} image was not drawn, only {', '.join(sorted(self.made))}; name it in ``want``"
            )
        return self.made[name]
