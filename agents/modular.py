"""The modular agent: recogniser, proxy policy, controller. Image in, labels between, waypoints out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sim2real_bench.agents.cards import CheckpointCard
from sim2real_bench.agents.checkpoints import load_checkpoint
from sim2real_bench.agents.composites import load_parts, save_composite
from sim2real_bench.agents.inputs import DRIVING_CAMERA, NETWORK_INPUTS
from sim2real_bench.agents.recognisers import RecogniserNetwork, load_recogniser
from sim2real_bench.agents.waypoint_agent import NetworkPolicy
from sim2real_bench.envs.observation import RGB, Observation
from sim2real_bench.errors import AgentError, CheckpointError, ConfigurationError

MODULAR_KIND = "modular"
RECOGNISER, PROXY = "recogniser", "proxy"  # the roles of its two parts


class ModularPolicy:
    """Waypoints that the proxy policy finds on the labels a recogniser predicts.

    The labels pass as a hard mask, road or not: the proxy policy never saw anything between.

    Args:
        recogniser: image to the proxy's road mask.
        proxy: the policy on that mask.

    Raises:
        ConfigurationError: the recogniser predicts other labels than the policy reads.
    """

    observations: tuple[str, ...] = (RGB,)

    def __init__(self, recogniser: RecogniserNetwork, proxy: NetworkPolicy) -> None:
        if proxy.observations != (recogniser.output,):
            raise ConfigurationError(
                f"the recogniser predicts {recogniser.output!r}, but the proxy policy reads "
                f"{', '.join(proxy.observations)}"
            )
        self._recogniser = recogniser.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._proxy = proxy

    def labels(self, observation: Observation) -> npt.NDArray[np.float32]:
        """(H, W) float32 0 or 1: the road mask seen in the image, of the camera or of the map.

        Raises:
            AgentError: there is no image.
        """
        if RGB not in observation:
            raise AgentError(f"the policy reads {RGB!r}, but the observation holds {sorted(observation)}")
        image = NETWORK_INPUTS[RGB].image(observation[RGB], "")
        with torch.inference_mode():
            mask: npt.NDArray[np.float32] = self._recogniser.masks(torch.from_numpy(image)[None])[0, 0].numpy()
        return mask

    def waypoints(self, observation: Observation) -> npt.NDArray[np.float64]:
        """(5, 2) metres, ego frame.

        Raises:
            AgentError: there is no image, or an answer is not finite.
        """
        return self._proxy.waypoints_in(torch.from_numpy(self.labels(observation))[None])


def save_modular(path: Path, parts: Mapping[str, Path], card: CheckpointCard) -> CheckpointCard:
    """Put a modular agent together of the checkpoints of its ``RECOGNISER`` and ``PROXY``.

    Raises:
        CheckpointError: they cannot be read, or do not fit together.
    """
    _policy(parts)
    return save_composite(path, MODULAR_KIND, parts, card)


def load_modular_policy(path: Path) -> ModularPolicy:
    """The policy of a modular checkpoint.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    parts, _ = load_parts(path, MODULAR_KIND)
    if set(parts) != {RECOGNISER, PROXY}:
        raise CheckpointError(f"{path} has the parts {sorted(parts)}; a modular agent has {RECOGNISER} and {PROXY}")
    return _policy(parts)


def _policy(parts: Mapping[str, Path]) -> ModularPolicy:
    recogniser, _ = load_recogniser(parts[RECOGNISER])
    network, card = load_checkpoint(parts[PROXY])
    try:
        return ModularPolicy(recogniser, NetworkPolicy(network, card.observation, camera=DRIVING_CAMERA))
    except ConfigurationError as error:
        raise CheckpointError(f"{parts[RECOGNISER]} and {parts[PROXY]} do not fit together: {error}") from error
