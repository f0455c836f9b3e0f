"""Direct transfer as a method: f^S is trained on the source's images and driven in the target as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.distill.method import Method, Supervision, network_agent
from sim2real_bench.distill.transfer import SOURCE, Training, TransferRequest, opened

if TYPE_CHECKING:
    from sim2real_bench.distill.fitting import FitSettings

CHECKPOINT = f"{SOURCE}-direct"


def direct_training(request: TransferRequest) -> Training:
    """f^S on source images."""
    folder = request.source()

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.direct import fit_direct

        return fit_direct(opened(folder), settings)

    return Training(("--method", "direct", "--source-data", str(folder)), fit)


def trainings(request: TransferRequest) -> list[Training]:
    """One network: f^S."""
    return [direct_training(request)]


DIRECT = Method("direct", {"": Supervision(source=("images",))}, {"": CHECKPOINT}, network_agent, trainings)
