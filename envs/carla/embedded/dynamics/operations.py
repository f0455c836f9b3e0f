"""The few functions the equations of motion need, for one vehicle (floats) and for many at once (arrays).

The equations are written once. A handful of vehicles moves fastest in plain Python, a fleet in numpy: the fixed cost
of a call there is about that of a dozen vehicles.
"""

import math
from typing import Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
T = TypeVar("T", float, Float)


class Operations(Protocol[T]):
    """What differs between floats and arrays."""

    def sin(self, value: T, /) -> T:
        """Sine of radians."""

    def cos(self, value: T, /) -> T:
        """Cosine of radians."""

    def tan(self, value: T, /) -> T:
        """Tangent of radians."""

    def tanh(self, value: T, /) -> T:
        """Hyperbolic tangent."""

    def sqrt(self, value: T, /) -> T:
        """Square root."""

    def arctan2(self, y: T, x: T, /) -> T:
        """Angle of (x, y), radians."""

    def hypot(self, x: T, y: T, /) -> T:
        """Length of (x, y)."""

    def copysign(self, size: T, sign: T, /) -> T:
        """The size of one and the sign of the other."""

    def least(self, first: T, second: T | float, /) -> T:
        """The smaller one."""

    def most(self, first: T, second: T | float, /) -> T:
        """The larger one."""

    def some(self, value: T, /) -> bool:
        """Anything is above zero."""

    def zero_unless(self, condition: T, value: T, /) -> T:
        """``value`` where ``condition`` is not zero, and zero elsewhere."""


class _Scalar:
    """Floats."""

    sin = staticmethod(math.sin)
    cos = staticmethod(math.cos)
    tan = staticmethod(math.tan)
    tanh = staticmethod(math.tanh)
    sqrt = staticmethod(math.sqrt)
    arctan2 = staticmethod(math.atan2)
    hypot = staticmethod(math.hypot)
    copysign = staticmethod(math.copysign)

    @staticmethod
    def least(first: float, second: float, /) -> float:
        return first if first <= second else second

    @staticmethod
    def most(first: float, second: float, /) -> float:
        return first if first >= second else second

    @staticmethod
    def some(value: float, /) -> bool:
        return value > 0.0

    @staticmethod
    def zero_unless(condition: float, value: float, /) -> float:
        return value if condition else 0.0


class _Array:
    """Arrays, one element per vehicle."""

    sin = staticmethod(np.sin)
    cos = staticmethod(np.cos)
    tan = staticmethod(np.tan)
    tanh = staticmethod(np.tanh)
    sqrt = staticmethod(np.sqrt)
    arctan2 = staticmethod(np.arctan2)
    hypot = staticmethod(np.hypot)
    copysign = staticmethod(np.copysign)
    least = staticmethod(np.minimum)
    most = staticmethod(np.maximum)

    @staticmethod
    def some(value: Float, /) -> bool:
        return bool((value > 0.0).any())

    @staticmethod
    def zero_unless(condition: Float, value: Float, /) -> Float:
        product: Float = value * (condition != 0.0)
        return product


SCALAR: Operations[float] = _Scalar()
ARRAY = cast("Operations[Float]", _Array())  # numpy describes its functions more generally than the protocol
