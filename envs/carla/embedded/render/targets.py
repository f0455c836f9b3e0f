"""Textures and framebuffers of one image size."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim2real_bench.envs.carla.embedded.render.view import Image, Images


class Targets:
    """The supersampled pass and the three images of one size."""

    def __init__(self, context: Any, width: int, height: int, supersample: int) -> None:
        self.width, self.height = width, height
        self.pass_size = (width * supersample, height * supersample)
        self.colour = context.texture(self.pass_size, 4)
        self.tags = context.texture(self.pass_size, 1)
        self.depth = context.depth_texture(self.pass_size)
        self.colour.filter = (context.LINEAR, context.LINEAR)
        self.tags.filter = self.depth.filter = (context.NEAREST, context.NEAREST)
        self.depth.compare_func = ""
        self.colour.repeat_x = self.colour.repeat_y = False
        self.scene = context.framebuffer([self.colour, self.tags], self.depth)
        self._images = [context.renderbuffer((width, height), 4) for _ in range(3)]
        self.output = context.framebuffer(self._images)

    def read(self) -> Images:
        """Copy the three images out."""
        copies: list[Image] = []
        for attachment in range(3):
            image = np.empty((self.height, self.width, 4), np.uint8)
            self.output.read_into(image, components=4, attachment=attachment)
            copies.append(image)
        return Images(*copies)

    def release(self) -> None:
        """Give the memory back."""
        for resource in (self.scene, self.output, self.colour, self.tags, self.depth, *self._images):
            resource.release()
