"""Modular transfer as two methods: f^P drives on the labels that a recogniser of the target predicts.

``modular`` trains f^P on the source's true labels, as task distillation does; ``modular-predicted`` (the paper's §) on
labels that a recogniser of the source predicts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.distill.method import PROXIES, Method, Supervision, given_weights
from sim2real_bench.distill.methods.task_distillation import proxy_name, proxy_settings, proxy_training
from sim2real_bench.distill.transfer import SOURCE, Training, TransferRequest, opened

if TYPE_CHECKING:
    from sim2real_bench.agents.agent import Agent
    from sim2real_bench.agents.controllers import Controller
    from sim2real_bench.distill.fitting import FitSettings

TARGET = "carla"  # the simulator a modular agent is made for: part of the names of checkpoints
MODULAR_NAME = "modular"
PREDICTED_NAME = "modular-predicted"


def _agent(controller: Controller, checkpoint: Path | None) -> Agent:
    from sim2real_bench.agents.modular import load_modular_policy
    from sim2real_bench.agents.waypoint_agent import WaypointAgent

    return WaypointAgent(load_modular_policy(given_weights(checkpoint)), controller)


def modular_trainings(request: TransferRequest) -> list[Training]:
    """f^P on true source labels, the target's recogniser, and the agent of both."""
    made = []
    if request.wants("proxy"):
        made.append(proxy_training(request))
    if request.wants("recogniser"):
        made.append(_target_recogniser(request, MODULAR_NAME))
    if request.wants("agent"):
        made.append(_composition(request, MODULAR_NAME, proxy_name(request.proxy or "")))
    return made


def predicted_trainings(request: TransferRequest) -> list[Training]:
    """The source's recogniser, f^P on the labels it predicts, the target's recogniser, and the agent of these two."""
    made = []
    if request.wants("source-recogniser"):
        made.append(_source_recogniser(request))
    if request.wants("proxy"):
        made.append(_predicted_proxy(request))
    if request.wants("recogniser"):
        made.append(_target_recogniser(request, PREDICTED_NAME))
    if request.wants("agent"):
        made.append(_composition(request, PREDICTED_NAME, predicted_proxy_name(request.proxy or "")))
    return made


def recogniser_name(simulator: str, proxy: str) -> str:
    """The name of the checkpoint of a simulator's recogniser."""
    return f"{simulator}-recogniser-{proxy}"


def predicted_proxy_name(proxy: str) -> str:
    """The name of the checkpoint of f^P on predicted labels."""
    return f"{SOURCE}-predicted-proxy-{proxy}"


def _recogniser(proxy: str, folder: Path, images: int | None, words: tuple[str, ...]) -> Training:
    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.modular.recognition import fit_recogniser

        data = opened(folder, images)
        return fit_recogniser(data, proxy, recogniser_name(data.config.simulator, proxy), settings)

    return Training(words, fit)


def _target_recogniser(request: TransferRequest, method: str) -> Training:
    proxy = request.proxy or ""
    words = ("--method", method, "--proxy", proxy, "--stage", "recogniser", *request.target_words())
    return _recogniser(proxy, request.target(), request.target_images, words)


def _source_recogniser(request: TransferRequest) -> Training:
    proxy, folder = request.proxy or "", request.source()
    words = ("--method", PREDICTED_NAME, "--proxy", proxy, "--stage", "source-recogniser")
    return _recogniser(proxy, folder, None, (*words, "--source-data", str(folder)))


def _predicted_proxy(request: TransferRequest) -> Training:
    folder, proxy = request.source(), request.proxy or ""
    recogniser = request.network("source-recogniser", recogniser_name(SOURCE, proxy))

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.modular.predicted_labels import fit_predicted_proxy

        name = predicted_proxy_name(proxy)
        return fit_predicted_proxy(opened(folder), proxy_settings(request), recogniser, name, settings)

    words = ("--method", PREDICTED_NAME, "--proxy", proxy, "--stage", "proxy", "--source-data", str(folder))
    return Training((*words, "--part", f"source-recogniser={recogniser}", *request.mask_words()), fit)


def _composition(request: TransferRequest, method: str, own_proxy_name: str) -> Training:
    proxy = request.proxy or ""
    parts = {
        "recogniser": request.network("recogniser", recogniser_name(TARGET, proxy)),
        "proxy": request.network("proxy", own_proxy_name),
    }
    words = ("--method", method, "--proxy", proxy, "--stage", "agent")
    given = [word for role, path in parts.items() for word in ("--part", f"{role}={path}")]
    return Training((*words, *given), _composing(f"{SOURCE}-{TARGET}-{method}-{proxy}", parts))


def _composing(name: str, parts: Mapping[str, Path]) -> Callable[[FitSettings], Path]:
    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.agents.cards import CheckpointCard, read_card, weights_path
        from sim2real_bench.agents.modular import RECOGNISER, save_modular

        recogniser = read_card(parts[RECOGNISER])
        card = CheckpointCard(
            observation=recogniser.observation,
            command=settings.command,
            seed=recogniser.seed,
            metrics={f"recogniser_{key}": value for key, value in recogniser.metrics.items() if "iou" in key},
            notes=f"{parts[RECOGNISER].stem} turns the image into labels, on which the other part finds the waypoints",
        )
        save_modular(settings.out / name, parts, card)
        return weights_path(settings.out / name)

    return fit


def _supervision(proxy: str, predicted: bool) -> Supervision:
    labels = f"{proxy} labels"
    return Supervision(source=("images", labels) if predicted else (labels,), target=("images", labels))


def _method(name: str, trainings: Callable[[TransferRequest], list[Training]], stages: tuple[str, ...]) -> Method:
    supervision = {proxy: _supervision(proxy, name == PREDICTED_NAME) for proxy in PROXIES}
    checkpoints = {proxy: f"{SOURCE}-{TARGET}-{name}-{proxy}" for proxy in PROXIES}
    return Method(name, supervision, checkpoints, _agent, trainings, stages=stages)


MODULAR = _method(MODULAR_NAME, modular_trainings, ("proxy", "recogniser", "agent"))
MODULAR_PREDICTED = _method(PREDICTED_NAME, predicted_trainings, ("source-recogniser", "proxy", "recogniser", "agent"))
