"""Settings of an evaluation in the fake simulator."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sim2real_bench.evaluation.benchmarks import STK_CARLA_V1
from sim2real_bench.evaluation.plan import MethodRow, resolve_configuration
from sim2real_bench.evaluation.settings import RunSettings
from sim2real_bench.evaluation.supervisor import Launch

ENVIRONMENT = "sim2real_bench.evaluation.faults.environment:FakeDriveEnv"
PROBE = "sim2real_bench.evaluation.faults.environment:check"
SERVER = "sim2real_bench.evaluation.faults.server"
AGENTS = "sim2real_bench.evaluation.faults.agents:build_agent"
_BENCHMARK = replace(STK_CARLA_V1, name="fake-v1", source="fake", target="fake", towns={"fake": "Road"})


def fake_settings(
    out: Path,
    *,
    methods: Sequence[str] = ("fast", "slow"),
    agents: str = AGENTS,
    faults: Sequence[str] = (),
    counts: Path | None = None,
    episodes: int = 2,
    horizon_ticks: int = 100,
    workers: int = 1,
    deadline_s: float = 60.0,
    timeout_s: float = 5.0,
    tick_sleep_s: float = 0.0,
) -> RunSettings:
    """The settings of an evaluation in the fake simulator.

    Args:
        out: results folder.
        methods: rows; with the agents of this package ``fast``, ``slow`` or an agent's fault such as ``raises@5``.
        agents: import path of ``build_agent(method, proxy, controller, checkpoint)``.
        faults: of simulators and their adapters, see ``Fault``.
        counts: folder that counts how often each fault happened; None: every simulator process counts for itself.
        episodes: per controller; there are five.
        horizon_ticks: longest episode.
        workers: processes.
        deadline_s: see ``RunSettings``.
        timeout_s: longest wait of the environment for an answer.
        tick_sleep_s: wall time of a tick.
    """
    if counts is not None:
        counts.mkdir(parents=True, exist_ok=True)
    configuration = resolve_configuration(
        _BENCHMARK,
        backend="fake",
        preset="quick",
        episodes_per_controller=episodes,
        horizon_ticks=horizon_ticks,
        rows=[MethodRow(method=method) for method in methods],
        agents=agents,
        environment=ENVIRONMENT,
    )
    options: dict[str, object] = {
        "faults": tuple(faults), "counts": str(counts) if counts else None, "timeout_s": timeout_s,
        "tick_sleep_s": tick_sleep_s,
    }  # fmt: skip
    return RunSettings(
        configuration=configuration, out=out, workers=workers, environment_options=options, deadline_s=deadline_s
    )


def fake_launch(faults: Sequence[str] = (), counts: Path | None = None, start: str = "", starts: int = 0) -> Launch:
    """How a supervisor starts fake simulators.

    Args:
        faults: of the simulators, see ``Fault``.
        counts: folder that counts how often each happened.
        start: ``crash`` or ``hang``: at the start; "" for neither.
        starts: how often that happens, counted in the folder; 0 for always.
    """
    command = [sys.executable, "-m", SERVER, "--port", "{port}"]
    for fault in faults:
        command += ["--fault", fault]
    if counts is not None:
        counts.mkdir(parents=True, exist_ok=True)
        command += ["--counts", str(counts)]
    command += ["--start", start, "--starts", str(starts)] if start else []
    return Launch("fake", tuple(command), PROBE)
