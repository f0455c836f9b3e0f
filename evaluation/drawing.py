"""What an agent saw and meant, as one picture: camera, labels and map view with waypoints drawn in."""

import itertools

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.map_view import ego_to_map_pixels
from sim2real_bench.envs.observation import LABELS, MAP_VIEW, RGB, Observation

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
CameraPictures = tuple[tuple[Image, ...], Image]
"""Pictures of the same size seen by one camera, and a picture of the map view."""

PREDICTED = (255, 60, 30)
REFERENCE = (40, 220, 255)
_MAP_COLOURS = np.array([[200, 200, 200], [60, 90, 255], [255, 210, 40]], np.uint8)


def draw_points(image: Image, pixels: npt.ArrayLike, colour: Colour, scale: float) -> None:
    """Discs at (N, 2) pixels of the unscaled image, joined by a line, in place; points far outside are left out."""
    points = np.asarray(pixels, np.float64) * scale
    inside = np.isfinite(points).all(axis=1) & (np.abs(points) < 10_000).all(axis=1)
    places = [(int(column), int(row)) for column, row in np.round(points[inside])]
    for first, second in itertools.pairwise(places):
        cv2.line(image, first, second, colour, max(1, round(scale)), cv2.LINE_AA)
    for place in places:
        cv2.circle(image, place, round(2 * scale), colour, -1, cv2.LINE_AA)


def map_picture(map_view: npt.NDArray[np.uint8]) -> Image:
    """(192, 192, 3) RGB of a (C, 192, 192) map view; later channels lie over earlier ones."""
    picture = np.full((*map_view.shape[1:], 3), 40, np.uint8)
    for channel, colour in zip(map_view, _MAP_COLOURS, strict=False):
        picture[channel > 127] = colour
    return picture


def enlarged(image: Image, scale: float, smooth: bool = False) -> Image:
    """An image with each side ``scale`` times as long; class colours must not be mixed, photographs may be."""
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(
        cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST), np.uint8
    )


def draw_waypoints(
    pictures: CameraPictures, waypoints: dict[Colour, npt.NDArray[np.float64]], camera: PinholeCamera, scale: float
) -> None:
    """Draw (N, 2) or (N, 3) ego-frame metres into camera pictures and the map picture, in place."""
    cameras, plan = pictures
    for colour, points in waypoints.items():
        pixels, depth = camera.project(points)
        for image in cameras:
            draw_points(image, pixels[depth > 0.5], colour, scale)
        draw_points(plan, ego_to_map_pixels(points[:, :2]), colour, scale)


def panel(
    observation: Observation,
    palette: Image,
    camera: PinholeCamera,
    waypoints: dict[Colour, npt.NDArray[np.float64]],
    scale: int = 2,
) -> Image:
    """One row of pictures: rgb | labels | map view.

    Args:
        observation: holds rgb, labels and map_view.
        palette: (classes, 3) RGB of the label classes.
        camera: the camera of the two camera images.
        waypoints: (N, 2) or (N, 3) ego-frame metres for each RGB colour they are drawn in.
        scale: enlargement, whole number.

    Returns:
        (height, width, 3) RGB.
    """
    rgb = enlarged(np.asarray(observation[RGB], np.uint8), scale)
    labels = enlarged(palette[observation[LABELS]], scale)
    plan = enlarged(map_picture(np.asarray(observation[MAP_VIEW], np.uint8)), scale)
    draw_waypoints(((rgb, labels), plan), waypoints, camera, scale)
    height = max(rgb.shape[0], plan.shape[0])
    gap = np.full((height, 4, 3), 255, np.uint8)
    return np.hstack([_padded(rgb, height), gap, _padded(labels, height), gap, _padded(plan, height)])


def _padded(image: Image, height: int) -> Image:
    return np.pad(image, ((0, height - image.shape[0]), (0, 0), (0, 0)), constant_values=255)


def sheet(rows: list[Image]) -> Image:
    """Stack rows of equal width with a white gap between them."""
    gap = np.full((6, rows[0].shape[1], 3), 255, np.uint8)
    return np.vstack([part for row in rows for part in (row, gap)][:-1])
