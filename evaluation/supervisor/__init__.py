"""Simulators as a service: started, checked, replaced when they misbehave, ended without leaving anything behind."""

from sim2real_bench.evaluation.supervisor.launch import (
    Launch,
    carla_command,
    carla_docker,
    coppelia_command,
    embedded_carla,
)
from sim2real_bench.evaluation.supervisor.policy import Policy, StartAttempt
from sim2real_bench.evaluation.supervisor.supervisor import Supervisor, SupervisorKeeper

__all__ = [
    "Launch",
    "Policy",
    "StartAttempt",
    "Supervisor",
    "SupervisorKeeper",
    "carla_command",
    "carla_docker",
    "coppelia_command",
    "embedded_carla",
]
