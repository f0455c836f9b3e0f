"""Direct transfer: f^S, an image policy learnt in the source simulator, is driven in the target as it is."""

from pathlib import Path

from sim2real_bench.agents.waypoints import CameraGeometry
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.examples import ImageExamples, camera_targets, rgb_images
from sim2real_bench.distill.fitting import FitSettings, Yardstick, fit_checkpoint
from sim2real_bench.envs.observation import RGB


def direct_examples(source: RolloutDataset) -> ImageExamples:
    """Source images with the waypoints the source agent drove, projected into each image by its own camera.

    Raises:
        DataError: the data set holds no colour images.
    """
    source.require(source.config.simulator, (RGB,))
    targets = camera_targets(source.stack("waypoints"), source.cameras())
    return ImageExamples(rgb_images(source), targets, source.episode_of_sample())


def fit_direct(source: RolloutDataset, settings: FitSettings) -> Path:
    """Train f^S: source image to the source agent's own future positions, in normalised image coordinates.

    At test time a target image goes through it, and the target's camera lifts its answer to the ground.

    Returns:
        The weights file of ``<source>-direct``.
    """
    examples = direct_examples(source)
    geometries = [CameraGeometry(camera) for camera in source.cameras()]
    return fit_checkpoint(
        f"{source.config.simulator}-direct",
        RGB,
        examples,
        settings,
        data={"source": source.hash},
        yardsticks=[Yardstick("driven_path", list(geometries), source.stack("waypoints"))],
        notes=f"f^S: {source.config.simulator} image to waypoints of its driver {source.config.driver}",
    )
