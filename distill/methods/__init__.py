"""What can be typed after ``--method``: one light module for each method, which imports torch only when it acts."""

from sim2real_bench.registry import Spec

_HERE = "sim2real_bench.distill.methods"

SPECS = (
    Spec(
        "reference",
        f"{_HERE}.reference:REFERENCE",
        "privileged planner on the lane graph: bounds every table from above",
    ),
    Spec(
        "direct",
        f"{_HERE}.direct:DIRECT",
        "source policy on target images, unchanged: bounds the tables from below",
        "train",
    ),
    Spec(
        "task-distillation",
        f"{_HERE}.task_distillation:TASK_DISTILLATION",
        "source labels -> waypoints teaches target images -> waypoints (proxy map or camera)",
        "train",
    ),
    Spec(
        "task-distillation-junctions",
        f"{_HERE}.junctions:TASK_DISTILLATION_JUNCTIONS",
        "task distillation whose proxy policy learns from source maps made into junctions",
        "train",
    ),
    Spec(
        "task-distillation-peaks",
        f"{_HERE}.peaks:TASK_DISTILLATION_PEAKS",
        "the networks of task distillation, driven to the peaks of their heatmaps (proxy map or camera)",
        "train",
    ),
    Spec(
        "task-distillation-on-policy",
        f"{_HERE}.on_policy:TASK_DISTILLATION_ON_POLICY",
        "task distillation whose student learns also from its own drives of the training town (DAgger)",
        "train",
    ),
    Spec(
        "task-distillation-plus",
        f"{_HERE}.on_policy:TASK_DISTILLATION_PLUS",
        "on-policy, with a teacher that knows junctions and weather drawn over the images",
        "train",
    ),
    Spec(
        "modular",
        f"{_HERE}.modular:MODULAR",
        "target images -> labels -> waypoints, the last step learnt on the source's true labels (proxy map or camera)",
        "train",
    ),
    Spec(
        "modular-predicted",
        f"{_HERE}.modular:MODULAR_PREDICTED",
        "the same, the last step learnt on predicted source labels (marked with a section sign in the paper)",
        "train",
    ),
    Spec(
        "cycada",
        f"{_HERE}.cycada:CYCADA",
        "target images painted in the source's style, then the source policy; both translators learnt without pairs",
        "train",
    ),
    Spec(
        "cycada-raw-control",
        f"{_HERE}.cycada:CYCADA_RAW_CONTROL",
        "the same with a network that answers steer and throttle, no PID (marked with a dagger in the paper)",
        "train",
    ),
    Spec(
        "proxy",
        f"{_HERE}.proxy:PROXY",
        "privileged: source labels -> waypoints on the target's true labels; bounds task-distillation from above",
        "train",
    ),
)
"""The methods of this package, in the order that ``sim2real-bench list`` shows."""
