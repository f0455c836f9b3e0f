"""CyCADA's agents: an image of the target, painted in the source's style, goes into a network of the source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sim2real_bench.agents.agent import Action
from sim2real_bench.agents.cards import CheckpointCard
from sim2real_bench.agents.checkpoints import load_checkpoint
from sim2real_bench.agents.composites import load_parts, save_composite
from sim2real_bench.agents.controls import ControlsNetwork, load_controls
from sim2real_bench.agents.inputs import NETWORK_INPUTS
from sim2real_bench.agents.translators import TranslatorNetwork, load_translator, translated_image
from sim2real_bench.agents.waypoint_agent import NetworkPolicy
from sim2real_bench.envs.observation import RGB, Observation
from sim2real_bench.errors import AgentError, CheckpointError, ConfigurationError

CYCADA_KIND = "cycada"
RAW_CONTROL_KIND = "cycada-raw-control"
TRANSLATOR, POLICY, CONTROLS = "translator", "policy", "controls"  # the roles of their parts
_POLICY_ROLES = {CYCADA_KIND: POLICY, RAW_CONTROL_KIND: CONTROLS}


class TranslatedPolicy:
    """Waypoints that the source's policy finds in the translated image.

    Args:
        translator: target image to source style.
        policy: f^S, which reads colour images.

    Raises:
        ConfigurationError: the policy reads something else.
    """

    observations: tuple[str, ...] = (RGB,)

    def __init__(self, translator: TranslatorNetwork, policy: NetworkPolicy) -> None:
        if policy.observations != self.observations:
            raise ConfigurationError(f"the policy reads {', '.join(policy.observations)}, not {RGB!r}")
        self._translator, self._policy = _ready(translator), policy

    def waypoints(self, observation: Observation) -> npt.NDArray[np.float64]:
        """(5, 2) metres, ego frame.

        Raises:
            AgentError: there is no image, or an answer is not finite.
        """
        return self._policy.waypoints_in(translated_image(self._translator, _image(observation)))


class RawControlAgent:
    """Drives by what a network of the source answers to the translated image: steer and throttle, no PID, no speed.

    Args:
        translator: target image to source style.
        controls: image to steer and throttle.
    """

    observations: tuple[str, ...] = (RGB,)

    def __init__(self, translator: TranslatorNetwork, controls: ControlsNetwork) -> None:
        self._translator, self._controls = _ready(translator), controls.eval()

    def reset(self, seed: int) -> None:
        """Nothing is remembered and nothing is random."""

    def act(self, observation: Observation) -> Action:
        """(2,) float32: steer, throttle or brake.

        Raises:
            AgentError: there is no image, or the answer is not finite.
        """
        image = translated_image(self._translator, _image(observation))
        with torch.inference_mode():
            answer: Action = self._controls(image[None])[0].numpy()
        if not np.isfinite(answer).all():
            raise AgentError(f"the controls network answered {answer.tolist()}, which is not finite")
        return answer


def save_translated(path: Path, kind: str, parts: Mapping[str, Path], card: CheckpointCard) -> CheckpointCard:
    """Put an agent together of its parts: ``CYCADA_KIND`` of translator and policy, ``RAW_CONTROL_KIND`` of translator
    and controls.

    Raises:
        CheckpointError: they cannot be read, or do not fit together.
    """
    _LOADERS[kind](parts)
    return save_composite(path, kind, parts, card)


def load_translated_policy(path: Path) -> TranslatedPolicy:
    """The waypoint policy of a ``CYCADA_KIND`` checkpoint.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    return _policy(_parts(path, CYCADA_KIND))


def load_raw_control_agent(path: Path) -> RawControlAgent:
    """The agent of a ``RAW_CONTROL_KIND`` checkpoint.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    return _raw_control(_parts(path, RAW_CONTROL_KIND))


def _parts(path: Path, kind: str) -> dict[str, Path]:
    parts, _ = load_parts(path, kind)
    wanted = {TRANSLATOR, _POLICY_ROLES[kind]}
    if set(parts) != wanted:
        raise CheckpointError(f"{path} has the parts {sorted(parts)}; an agent of kind {kind!r} has {sorted(wanted)}")
    return parts


def _policy(parts: Mapping[str, Path]) -> TranslatedPolicy:
    network, card = load_checkpoint(parts[POLICY])
    try:
        return TranslatedPolicy(load_translator(parts[TRANSLATOR])[0], NetworkPolicy(network, card.observation))
    except ConfigurationError as error:
        raise CheckpointError(f"{parts[TRANSLATOR]} and {parts[POLICY]} do not fit together: {error}") from error


def _raw_control(parts: Mapping[str, Path]) -> RawControlAgent:
    return RawControlAgent(load_translator(parts[TRANSLATOR])[0], load_controls(parts[CONTROLS])[0])


_LOADERS: dict[str, Callable[[Mapping[str, Path]], TranslatedPolicy | RawControlAgent]] = {
    CYCADA_KIND: _policy,
    RAW_CONTROL_KIND: _raw_control,
}


def _ready(translator: TranslatorNetwork) -> TranslatorNetwork:
    return translator.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _image(observation: Observation) -> Tensor:
    """(3, height, width) float in [0, 1]."""
    if RGB not in observation:
        raise AgentError(f"the agent reads {RGB!r}, but the observation holds {sorted(observation)}")
    return torch.from_numpy(NETWORK_INPUTS[RGB].image(observation[RGB], ""))
