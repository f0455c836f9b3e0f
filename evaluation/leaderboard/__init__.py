"""The leaderboard: our accepted results beside the published rows, and how a result is accepted."""

from sim2real_bench.evaluation.leaderboard.submissions import RESULTS_FOLDER, accepted_result

__all__ = ["RESULTS_FOLDER", "accepted_result"]
