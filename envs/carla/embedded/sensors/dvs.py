"""The pixel events of a DVS camera, from one picture to the next."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.messages import PIXEL_EVENT

Bytes = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float64]

_GREY = np.array([0.114, 0.587, 0.2989])  # of blue, green, red
_SMALLEST_THRESHOLD = 0.01
_TOLERANCE = 1e-6


class EventPixels:
    """Pixels that tell when their brightness crosses the next threshold.

    Between two pictures the brightness is taken to change linearly, which gives each crossing its time.
    """

    def __init__(self, attributes: dict[str, str]) -> None:
        """Take the thresholds and the scale (logarithmic or not) from resolved blueprint attributes."""
        self._thresholds = (float(attributes["positive_threshold"]), float(attributes["negative_threshold"]))
        self._sigmas = (float(attributes["sigma_positive_threshold"]), float(attributes["sigma_negative_threshold"]))
        self._refractory = int(attributes["refractory_period_ns"])
        self._log_eps = float(attributes["log_eps"]) if attributes["use_log"].lower() == "true" else 0.0
        self._before: Float | None = None
        self._reference: Float
        self._last_event: npt.NDArray[np.int64]
        self._time = 0

    def events(self, picture: Bytes, seconds: float, random: np.random.Generator) -> npt.NDArray[np.void]:
        """``PIXEL_EVENT`` records since the last picture, in the order of their time; none for the first one.

        Args:
            picture: (H, W, 4) BGRA.
            seconds: simulated time of the picture.
            random: for thresholds with a spread.
        """
        light, now = self._brightness(picture), round(seconds * 1e9)
        before, self._before = self._before, light
        if before is None:
            self._reference = light.copy()
            self._last_event = np.full(light.shape, -(2**62))
            self._time = now
            return np.empty(0, PIXEL_EVENT)
        start, self._time = self._time, now
        found = [
            *self._crossings(before, light, start, now, True, random),
            *self._crossings(before, light, start, now, False, random),
        ]
        events = np.concatenate(found) if found else np.empty(0, PIXEL_EVENT)
        return events[np.argsort(events["t"], kind="stable")]

    def _brightness(self, picture: Bytes) -> Float:
        grey = picture[..., :3] @ _GREY
        return np.log(self._log_eps + grey / 255.0) if self._log_eps else grey

    def _crossings(
        self, before: Float, light: Float, start: int, now: int, brighter: bool, random: np.random.Generator
    ) -> list[npt.NDArray[np.void]]:
        """The events of one sign, one crossing after the other."""
        sign = 1.0 if brighter else -1.0
        rows, columns = np.nonzero(sign * (light - before) > _TOLERANCE)
        old, new = before[rows, columns], light[rows, columns]
        threshold = self._threshold(brighter, len(rows), random)
        found = []
        while len(rows):
            level = self._reference[rows, columns] + sign * threshold
            reached = (sign * (level - old) > 0.0) & (sign * (new - level) >= 0.0)
            rows, columns, old, new = rows[reached], columns[reached], old[reached], new[reached]
            threshold, level = threshold[reached], level[reached]
            times = start + ((level - old) / (new - old) * (now - start)).astype(np.int64)
            rested = times - self._last_event[rows, columns] >= self._refractory
            self._reference[rows, columns] = level
            self._last_event[rows[rested], columns[rested]] = times[rested]
            batch = np.empty(int(rested.sum()), PIXEL_EVENT)
            batch["x"], batch["y"], batch["t"] = columns[rested], rows[rested], times[rested]
            batch["brighter"] = brighter
            found.append(batch)
        return found

    def _threshold(self, brighter: bool, count: int, random: np.random.Generator) -> Float:
        which = 0 if brighter else 1
        level, sigma = self._thresholds[which], self._sigmas[which]
        if sigma <= 0.0:
            return np.full(count, level)
        return np.maximum(_SMALLEST_THRESHOLD, random.normal(level, sigma, count))
