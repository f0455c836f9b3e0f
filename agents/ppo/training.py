"""Training the PPO source agent, with a state on disk from which an interrupted run goes on."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from sim2real_bench.agents.checkpoints import PPO_KIND, CheckpointCard, card_path, read_card, save_tensors
from sim2real_bench.agents.ppo.lap_check import LapCheck, drive_laps
from sim2real_bench.agents.ppo.learning_curve import CurveRow, write_curve
from sim2real_bench.agents.ppo.policy import MAP_KEY, STATE_KEY, DriverFeatures, DriverNetwork, PpoAgent
from sim2real_bench.agents.ppo.settings import AGENT_NAME, PpoSettings
from sim2real_bench.agents.ppo.track_draw import TrackDraw
from sim2real_bench.agents.ppo.training_state import TrainingState, read_state, write_state
from sim2real_bench.agents.ppo.vector_env import KartVectorEnv, make_vector_env
from sim2real_bench.envs.observation import MAP_VIEW
from sim2real_bench.envs.supertuxkart.tracks import TRAIN_TRACKS, Track

_LOG = logging.getLogger(__name__)
STATE_NAME = "training_state.safetensors"
CURVE_NAME = "learning_curve.csv"
_START_THROTTLE = 0.5  # a kart that stands learns nothing


class _Features(BaseFeaturesExtractor):
    """The driver's features as Stable-Baselines3 asks for them."""

    def __init__(self, observation_space: Any) -> None:
        super().__init__(observation_space, DriverFeatures.size)
        self.net = DriverFeatures()

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        features: Tensor = self.net(observations[MAP_KEY], observations[STATE_KEY])
        return features


def build_model(settings: PpoSettings, env: KartVectorEnv, log_folder: Path | None = None) -> PPO:
    """Stable-Baselines3's PPO with our network; ``log_folder`` receives TensorBoard events."""

    def falling(remaining: float) -> float:
        return settings.learning_rate * max(remaining, 0.1)

    rollout = max(1, min(settings.rollout_steps, settings.total_steps) // settings.workers)
    model = PPO(
        "MultiInputPolicy",
        env,
        learning_rate=falling,
        n_steps=rollout,
        batch_size=min(settings.batch_size, rollout * settings.workers),
        n_epochs=settings.epochs,
        gamma=settings.discount,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip,
        tensorboard_log=None if log_folder is None else str(log_folder),
        policy_kwargs={
            "features_extractor_class": _Features,
            "net_arch": {"pi": [], "vf": [64]},
            "log_std_init": settings.log_std,
        },
        seed=settings.seed,
        device="cpu",
    )
    with torch.no_grad():
        model.policy.action_net.bias.copy_(torch.tensor([0.0, _START_THROTTLE]))
    return model


def driver_of(model: PPO) -> DriverNetwork:
    """A copy of the deterministic driver inside a model."""
    driver = DriverNetwork()
    driver.features.load_state_dict(model.policy.features_extractor.net.state_dict())
    driver.action.load_state_dict(model.policy.action_net.state_dict())
    return driver.eval()


def save_driver(
    path: Path, model: PPO, settings: PpoSettings, command: str, row: CurveRow | None, laps: LapCheck
) -> None:
    """Write a model's driver as a checkpoint of kind ``ppo``; ``row`` is absent before the first episode ended."""
    measured = {} if row is None else {name: round(value, 4) for name, value in asdict(row).items()}
    metrics = measured | asdict(laps) | {"steps": model.num_timesteps}
    weights = ", ".join(f"{name} {value:g}" for name, value in asdict(settings.reward).items())
    card = CheckpointCard(
        kind=PPO_KIND,
        observation=MAP_VIEW,
        command=command,
        seed=settings.seed,
        metrics=metrics,
        architecture={"network": "DriverNetwork", "speed_cap_mps": settings.speed_cap_mps},
        notes=f"PPO, {settings.workers} karts, discount {settings.discount:g}, reward weights: {weights}; the best of "
        f"its drivers, judged every {settings.save_every_steps:,} steps by laps of the training tracks",
    )
    save_tensors(path, driver_of(model).state_dict(), card)


class _Recorder(BaseCallback):
    """Collects the learning curve, saves states and reports progress."""

    def __init__(self, run: "_Run") -> None:
        super().__init__()
        self._run = run

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._run.after_rollout(self.model)


class _Run:
    """One call of ``train_ppo``: where it writes and what it has seen."""

    def __init__(
        self,
        settings: PpoSettings,
        out: Path,
        command: str,
        report: Callable[[CurveRow], None],
        draw: TrackDraw,
    ) -> None:
        self.settings, self.out, self.command, self.report, self._draw = settings, out, command, report, draw
        self.rows: list[CurveRow] = []
        self._best: LapCheck | None = None
        self.earlier_s = 0.0
        self._saved_at = 0
        self._started = time.perf_counter()

    def go_on_from(self, state: TrainingState, model: PPO) -> None:
        """Continue an interrupted training."""
        self.rows = list(state.rows)
        self.earlier_s, self._saved_at = state.wall_time_s, state.steps
        self._best = _kept(self.out / AGENT_NAME)
        state.restore(model)

    @property
    def wall_time_s(self) -> float:
        return self.earlier_s + time.perf_counter() - self._started

    def after_rollout(self, model: PPO) -> None:
        row = self._row(model)
        if row is not None:
            self.rows.append(row)
            self.report(row)
        if model.num_timesteps - self._saved_at >= self.settings.save_every_steps:
            self.save(model)
            self.judge(model)

    def save(self, model: PPO) -> None:
        """Write the state an interrupted training goes on from."""
        self._saved_at = model.num_timesteps
        state = TrainingState.of(model, self.wall_time_s, tuple(self.rows), _fingerprint(self.settings))
        write_state(self.out / STATE_NAME, state)
        write_curve(self.out / CURVE_NAME, self.rows)

    def judge(self, model: PPO) -> None:
        """Keep the driver if it is better than the one kept, and have it practise the laps it did not finish."""
        driver = PpoAgent(driver_of(model), self.settings.speed_cap_mps)
        drives = drive_laps(driver, self._draw.tracks, self.settings.seed)
        self._draw.unfinished = tuple(
            track for track, drive in zip(self._draw.tracks, drives, strict=True) if not drive.finished
        )
        laps = LapCheck.of(drives)
        _LOG.info("step %d: %s, unfinished: %s", model.num_timesteps, laps, self._draw.unfinished)
        if self._best is None or laps > self._best:
            self._best = laps
            row = self.rows[-1] if self.rows else None
            save_driver(self.out / AGENT_NAME, model, self.settings, self.command, row, laps)

    def _row(self, model: PPO) -> CurveRow | None:
        episodes = list(model.ep_info_buffer or ())
        if not episodes:
            return None

        def mean(name: str) -> float:
            return float(np.mean([episode[name] for episode in episodes]))

        return CurveRow(
            steps=model.num_timesteps,
            wall_time_s=self.wall_time_s,
            reward=mean("r"),
            distance_m=mean("distance_m"),
            episode_steps=mean("l"),
            failed=mean("failed"),
            off_road=mean("off_road"),
            off_centre_m=mean("off_centre_m"),
            steer_change=mean("steer_change"),
            action_std=float(model.policy.log_std.detach().exp().mean()),
        )


def _kept(path: Path) -> LapCheck | None:
    """How the driver kept by an interrupted training fared; None where there is none."""
    if not card_path(path).exists():
        return None
    metrics = read_card(path).metrics
    names = [field.name for field in fields(LapCheck)]
    return LapCheck(*(metrics[name] for name in names)) if all(name in metrics for name in names) else None


def _fingerprint(settings: PpoSettings) -> dict[str, Any]:
    """What must be the same when a training goes on: everything but its length, its saving and its engines."""
    facts = asdict(settings)
    for name in ("total_steps", "save_every_steps", "workers"):
        del facts[name]
    return facts


def steps_done(settings: PpoSettings, out: Path) -> int:
    """Steps that the training in ``out`` has behind it; 0 where there is none.

    Raises:
        CheckpointError: its state cannot be read or belongs to other settings.
    """
    path = out / STATE_NAME
    return read_state(path, _fingerprint(settings)).steps if path.exists() else 0


def train_ppo(
    settings: PpoSettings,
    out: Path,
    *,
    command: str,
    resume: bool = False,
    tracks: Sequence[Track] = TRAIN_TRACKS,
    report: Callable[[CurveRow], None] = lambda row: None,
    log_folder: Path | None = None,
) -> Path:
    """Train the source agent.

    Writes ``training_state.safetensors``, ``learning_curve.csv`` and ``.png`` (every ``save_every_steps``, at the end,
    and when interrupted) into ``out``, and ``stk-ppo.safetensors`` with its card: the driver that did best on laps of
    ``tracks``, judged every ``save_every_steps`` and at the end.

    Args:
        settings: everything that shapes the training.
        out: folder, made where missing.
        command: goes into the card.
        resume: go on from the state in ``out`` where there is one.
        tracks: what episodes start on.
        report: called after every rollout with the newest row of the learning curve.
        log_folder: TensorBoard events; None for none.

    Returns:
        The checkpoint's weights file.

    Raises:
        CheckpointError: the state in ``out`` cannot be read or belongs to other settings.
        SimulatorError: the engine failed again and again.
    """
    out.mkdir(parents=True, exist_ok=True)
    state = read_state(out / STATE_NAME, _fingerprint(settings)) if resume and (out / STATE_NAME).exists() else None
    # After an interruption the tracks are drawn anew: the same ones would be seen twice.
    seed = settings.seed if state is None else int(np.random.default_rng([settings.seed, state.steps]).integers(2**31))
    draw = TrackDraw(tracks, settings.focus)
    env = make_vector_env(
        settings.workers,
        draw,
        seed,
        episode_steps=settings.episode_steps,
        speed_cap_mps=settings.speed_cap_mps,
        weights=settings.reward,
    )
    run = _Run(settings, out, command, report, draw)
    try:
        model = build_model(settings, env, log_folder)
        if state is not None:
            run.go_on_from(state, model)
            run.judge(model)  # which laps need practice is not in the state
        remaining = settings.total_steps - model.num_timesteps
        try:
            if remaining > 0:
                model.learn(remaining, callback=_Recorder(run), reset_num_timesteps=False)
        finally:
            run.save(model)
        run.judge(model)
    finally:
        env.close()
    return out / f"{AGENT_NAME}.safetensors"
