"""The engine's camera: mounted through its settings, and read back from the buffer it renders with.

The engine's Python interface neither sets nor reports the camera. Its settings are exported variables of the library,
and the matrices of the last picture lie in the uniform buffer of its shaders. Both are checked when they are used.
"""

import ctypes
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.supertuxkart.frames import WORLD_FROM_ENGINE
from sim2real_bench.errors import MissingDependencyError, SimulatorError

Float = npt.NDArray[np.float64]

ONBOARD, CHASE = "onboard", "chase"
CAMERAS = (ONBOARD, CHASE)
NEAR_M = 1.0  # the engine draws nothing nearer, which hides the own kart from the on-board camera
ONBOARD_HEIGHT_M = 0.99  # 0.75 m above the kart's origin

# Settings of the engine (name, default, value). Without smoothing the camera is rigid; at distance nearly 0 it sits in
# the kart and looks straight ahead.
_ONBOARD_SETTINGS: tuple[tuple[str, float | int, float | int], ...] = (
    ("m_camera_distance", 1.0, 0.01),
    ("m_camera_forward_smooth_position", 0.2, 0.0),
    ("m_camera_forward_smooth_rotation", 0.125, 0.0),
)
_FIELD_OF_VIEW, _FIELD_OF_VIEW_DEFAULT = "m_camera_fov", 80  # vertical, whole degrees
_ONBOARD_FOV_DEG = 90.0  # horizontal
_VALUE_OFFSET, _DEFAULT_OFFSET = 80, 84  # bytes, in the engine's setting objects

_UNIFORM_BUFFER, _UNIFORM_BUFFER_BINDING = 0x8A11, 0x8A28
_MATRIX_FLOATS = 32  # the view and the projection matrix lead the buffer

_FLIP_DOWN = np.diag([1.0, -1.0, 1.0])  # engine camera axes: x right, y up, z forward; ours: y down


@dataclass(frozen=True)
class CameraView:
    """The camera of one picture in the right-handed world frame.

    Attributes:
        width, height: pixels.
        focal: (2,) horizontal and vertical focal length, pixels.
        world_to_camera: (3, 3) rotation; camera axes x right, y down, z forward.
        position: (3,) camera centre, metres.
        depth_terms: (a, b) with depth along the axis = a / (2 d - 1 - b) for a depth buffer value d.
    """

    width: int
    height: int
    focal: Float
    world_to_camera: Float
    position: Float
    depth_terms: tuple[float, float]

    @classmethod
    def from_matrices(cls, view: Float, projection: Float, width: int, height: int) -> "CameraView":
        """From the engine's matrices, (4, 4) each, row-vector convention: clip = [x, y, z, 1] @ view @ projection."""
        rotation = view[:3, :3].T
        return cls(
            width=width,
            height=height,
            focal=np.array([projection[0, 0] * width / 2, projection[1, 1] * height / 2]),
            world_to_camera=_FLIP_DOWN @ rotation @ WORLD_FROM_ENGINE.T,
            position=WORLD_FROM_ENGINE @ (-rotation.T @ view[3, :3]),
            depth_terms=(float(projection[3, 2]), float(projection[2, 2])),
        )

    def depth_m(self, buffer: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(H, W) metres along the optical axis from (H, W) depth buffer values; 1.0 (sky) is far away."""
        a, b = self.depth_terms
        return np.float32(a) / np.minimum(np.float32(2) * buffer - np.float32(1 + b), np.float32(-1e-6))

    def on_vehicle(self, world_from_ego: Float) -> PinholeCamera:
        """The same camera relative to a vehicle pose (4, 4)."""
        rotation = world_from_ego[:3, :3]
        return PinholeCamera(
            self.width,
            self.height,
            float(self.focal[0]),
            float(self.focal[1]),
            self.world_to_camera @ rotation,
            (self.position - world_from_ego[:3, 3]) @ rotation,
        )

    @cached_property
    def inverse_rotation(self) -> npt.NDArray[np.float32]:
        """(3, 3) camera to world, transposed for row vectors: world = camera @ this."""
        return self.world_to_camera.astype(np.float32)


def mount_onboard(library: str, width: int, height: int) -> None:
    """Set the engine's camera: fixed to the kart, looking straight ahead, 90 degrees wide. Before a race is made.

    The engine takes whole degrees of vertical field of view: at 384x160 the picture is 89.7 degrees wide.

    Args:
        library: path of the engine's shared library, loaded already.
        width, height: of the picture, pixels.

    Raises:
        SimulatorError: the settings are not where this version of the engine has them.
    """
    vertical = 2 * math.atan(math.tan(math.radians(_ONBOARD_FOV_DEG) / 2) * height / width)
    field_of_view = (_FIELD_OF_VIEW, _FIELD_OF_VIEW_DEFAULT, round(math.degrees(vertical)))
    engine = ctypes.CDLL(library)
    for name, default, value in (field_of_view, *_ONBOARD_SETTINGS):
        _change_setting(engine, name, default, value)


def _change_setting(engine: ctypes.CDLL, name: str, default: float, value: float) -> None:
    kind = ctypes.c_int if isinstance(default, int) else ctypes.c_float
    try:
        setting = ctypes.addressof((ctypes.c_ubyte * 96).in_dll(engine, f"_ZN16UserConfigParams{len(name)}{name}E"))
    except ValueError as error:
        raise SimulatorError(f"the engine has no setting {name}: install PySuperTuxKart2==0.7.4") from error
    found = kind.from_address(setting + _DEFAULT_OFFSET).value
    if abs(found - default) > 1e-6:
        raise SimulatorError(
            f"the engine's setting {name} has default {found}, expected {default}: install PySuperTuxKart2==0.7.4"
        )
    kind.from_address(setting + _VALUE_OFFSET).value = value


class CameraReader:
    """Reads view and projection of the last picture; the OpenGL context must be current in this thread."""

    def __init__(self) -> None:
        """Look up the OpenGL functions.

        Raises:
            MissingDependencyError: there is no EGL library.
        """
        try:
            egl = ctypes.CDLL("libEGL.so.1")
        except OSError as error:
            raise MissingDependencyError(
                "SuperTuxKart's pictures need libEGL.so.1. Install it with: apt-get install libegl1 libgl1-mesa-dri"
            ) from error
        egl.eglGetProcAddress.restype = ctypes.c_void_p
        egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]

        def function(name: bytes, *arguments: type) -> "ctypes._FuncPointer":
            return ctypes.CFUNCTYPE(None, *arguments)(egl.eglGetProcAddress(name))

        uint = ctypes.c_uint
        self._get_integer = function(b"glGetIntegeri_v", uint, uint, ctypes.c_void_p)
        self._bind = function(b"glBindBuffer", uint, uint)
        self._read = function(b"glGetBufferSubData", uint, ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_void_p)
        self._floats = np.zeros(_MATRIX_FLOATS, np.float32)

    def read(self, width: int, height: int) -> CameraView:
        """The camera of the picture read last from the engine (earlier, the buffer holds an older camera).

        Raises:
            SimulatorError: the buffer does not hold a camera.
        """
        buffer = ctypes.c_int(0)
        self._get_integer(_UNIFORM_BUFFER_BINDING, 0, ctypes.byref(buffer))
        self._bind(_UNIFORM_BUFFER, buffer.value)
        self._read(_UNIFORM_BUFFER, 0, self._floats.nbytes, self._floats.ctypes.data)
        self._bind(_UNIFORM_BUFFER, 0)
        matrices = self._floats.astype(np.float64)
        view, projection = matrices[:16].reshape(4, 4), matrices[16:].reshape(4, 4)
        if abs(view[0, :3] @ view[0, :3] - 1.0) > 1e-3 or view[3, 3] != 1.0 or projection[0, 0] <= 0:
            raise SimulatorError("the engine's uniform buffer holds no camera: install PySuperTuxKart2==0.7.4")
        return CameraView.from_matrices(view, projection, width, height)
