"""CyCADA as two methods: target images are painted in the source's style, then the source's policy drives.

``cycada`` ends in f^S and the benchmark's PID controllers; ``cycada-raw-control`` (the paper's †) in a network that
answers steer and throttle itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.distill.method import Method, Supervision, given_weights
from sim2real_bench.distill.methods.direct import CHECKPOINT as SOURCE_POLICY
from sim2real_bench.distill.methods.direct import direct_training
from sim2real_bench.distill.transfer import SOURCE, Training, TransferRequest, opened

if TYPE_CHECKING:
    from sim2real_bench.agents.agent import Agent
    from sim2real_bench.agents.controllers import Controller
    from sim2real_bench.distill.cycada.settings import TranslatorSettings
    from sim2real_bench.distill.fitting import FitSettings

TARGET = "carla"  # the simulator that these agents are made for: part of the names of checkpoints
NAME, RAW_CONTROL_NAME = "cycada", "cycada-raw-control"
TO_SOURCE, TO_TARGET = f"{TARGET}-{SOURCE}-translator", f"{SOURCE}-{TARGET}-translator"
CONTROLS = f"{SOURCE}-controls"


def _waypoint_agent(controller: Controller, checkpoint: Path | None) -> Agent:
    from sim2real_bench.agents.translated import load_translated_policy
    from sim2real_bench.agents.waypoint_agent import WaypointAgent

    return WaypointAgent(load_translated_policy(given_weights(checkpoint)), controller)


def _raw_control_agent(controller: Controller, checkpoint: Path | None) -> Agent:
    """The same agent whatever the controller: it needs none."""
    from sim2real_bench.agents.translated import load_raw_control_agent

    return load_raw_control_agent(given_weights(checkpoint))


def cycada_trainings(request: TransferRequest) -> list[Training]:
    """f^S, the translators, and the agent of f^S and the translator to the source's style."""
    return _networks(request, NAME) + _agent(request, NAME, "policy", "source", SOURCE_POLICY)


def raw_control_trainings(request: TransferRequest) -> list[Training]:
    """f^S and the translators as for ``cycada``, a controls network in f^S's place, and the agent."""
    made = _networks(request, RAW_CONTROL_NAME)
    if request.wants("controls"):
        made.append(_controls(request))
    return made + _agent(request, RAW_CONTROL_NAME, "controls", "controls", CONTROLS)


def _networks(request: TransferRequest, method: str) -> list[Training]:
    made = []
    if request.wants("source"):
        made.append(direct_training(request))
    if request.wants("translator"):
        made.append(_translators(request, method))
    return made


def _translators(request: TransferRequest, method: str) -> Training:
    source, target = request.source(), request.target()
    policy, translator = request.network("source", SOURCE_POLICY), request.translator

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.cycada.fitting import fit_translators

        data = opened(source), opened(target, request.target_images)
        return fit_translators(*data, policy, (TO_SOURCE, TO_TARGET), translator, settings)

    words = ("--method", method, "--stage", "translator", "--source-data", str(source), *request.target_words())
    return Training((*words, "--part", f"source={policy}", *_translator_words(translator)), fit)


def _translator_words(translator: TranslatorSettings) -> tuple[str, ...]:
    return (
        "--translator-width", str(translator.width), "--translator-blocks", str(translator.blocks),
        "--translator-reduction", str(translator.reduction), "--translator-steps", str(translator.steps),
        "--policy-weight", repr(translator.policy_weight),
    )  # fmt: skip


def _controls(request: TransferRequest) -> Training:
    folder = request.source()

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.cycada.raw_controls import fit_controls

        return fit_controls(opened(folder), CONTROLS, settings)

    return Training(("--method", RAW_CONTROL_NAME, "--stage", "controls", "--source-data", str(folder)), fit)


def _agent(request: TransferRequest, method: str, role: str, stage: str, name: str) -> list[Training]:
    if not request.wants("agent"):
        return []
    by_stage = {"translator": request.network("translator", TO_SOURCE), stage: request.network(stage, name)}
    parts = {"translator": by_stage["translator"], role: by_stage[stage]}
    given = [word for key, path in by_stage.items() for word in ("--part", f"{key}={path}")]
    return [Training(("--method", method, "--stage", "agent", *given), _composing(method, parts))]


def _composing(method: str, parts: Mapping[str, Path]) -> Callable[[FitSettings], Path]:
    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.agents.cards import CheckpointCard, read_card, weights_path
        from sim2real_bench.agents.translated import save_translated

        translator, last = (read_card(parts[role]) for role in parts)
        errors = {name: value for name, value in translator.metrics.items() if name.endswith("_error_m")}
        card = CheckpointCard(
            observation=translator.observation,
            command=settings.command,
            seed=translator.seed,
            metrics=errors if method == NAME else {},
            notes=f"target image in the source's style, then: {last.notes}",
        )
        path = settings.out / f"{SOURCE}-{TARGET}-{method}"
        save_translated(path, method, parts, card)
        return weights_path(path)

    return fit


def _method(
    name: str,
    source: tuple[str, ...],
    builder: Callable[[Controller, Path | None], Agent],
    trainings: Callable[[TransferRequest], list[Training]],
    stages: tuple[str, ...],
) -> Method:
    supervision = {"": Supervision(source=source, target=("images",))}
    return Method(name, supervision, {"": f"{SOURCE}-{TARGET}-{name}"}, builder, trainings, stages=stages)


CYCADA = _method(NAME, ("images",), _waypoint_agent, cycada_trainings, ("source", "translator", "agent"))
CYCADA_RAW_CONTROL = _method(
    RAW_CONTROL_NAME,
    ("images", "actions"),
    _raw_control_agent,
    raw_control_trainings,
    ("source", "translator", "controls", "agent"),
)
