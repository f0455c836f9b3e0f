"""Textures and framebuffers of one image size."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim2real_bench.envs.carla.embedded.render.view import IMAGE_NAMES, Image, Images


class Targets:
    """The supersampled pass and the three images of one size."""

    def __init__(self, context: Any, width: int, height: int, supersample: int) -> None:
        self.width, self.height = width, height
        self.pass_size = (width * supersample, height * supersample)
        self.colour = context.texture(self.pass_size, 4)
        self.tags = context.texture(self.pass_size, 4)
        self.depth = context.depth_texture(self.pass_size)
        self.colour.filter = (context.LINEAR, context.LINEAR)
        self.tags.filter = self.depth.filter = (context.NEAREST, context.NEAREST)
        self.depth.compare_func = ""
        self.colour.repeat_x = self.colour.repeat_y = False
        self.scene = context.framebuffer([self.colour, self.tags], self.depth)
        self._images = {name: context.renderbuffer((width, height), 4) for name in IMAGE_NAMES}
        self._context = context
        self._outputs: dict[tuple[str, ...], Any] = {}

    def output(self, names: tuple[str, ...]) -> Any:
        """The framebuffer with the images of these names, in this order."""
        if names not in self._outputs:
            self._outputs[names] = self._context.framebuffer([self._images[name] for name in names])
        return self._outputs[names]

    def read(self, names: tuple[str, ...]) -> Images:
        """Copy images out."""
        copies: dict[str, Image] = {}
        for attachment, name in enumerate(names):
            image = np.empty((self.height, self.width, 4), np.uint8)
            self._outputs[names].read_into(image, components=4, attachment=attachment)
            copies[name] = image
        return Images(copies)

    def release(self) -> None:
        """Give the memory back."""
        for resource in (
            self.scene, self.colour, self.tags, self.depth, *self._outputs.values(), *self._images.values(),
        ):  # fmt: skip
            resource.release()
