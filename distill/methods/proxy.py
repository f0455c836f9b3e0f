"""The proxy policy as a row: f^P drives on the target's own true labels, which bounds task distillation from above."""

from __future__ import annotations

from sim2real_bench.distill.method import Method, Supervision, network_agent
from sim2real_bench.distill.methods.task_distillation import proxy_name, proxy_training
from sim2real_bench.distill.transfer import Training, TransferRequest


def trainings(request: TransferRequest) -> list[Training]:
    """The first stage of task distillation."""
    return [proxy_training(request)]


PROXY = Method(
    "proxy",
    {proxy: Supervision(source=(f"{proxy} labels",), privileged=(f"{proxy} labels",)) for proxy in ("map", "camera")},
    {proxy: proxy_name(proxy) for proxy in ("map", "camera")},
    network_agent,
    trainings,
)
