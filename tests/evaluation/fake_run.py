"""A program that evaluates with the fake environment: ``python fake_run.py OUT WORKERS PIDS``; tests kill it."""

import sys

from fake_driving import settings

from sim2real_bench.evaluation.runner import evaluate

if __name__ == "__main__":
    out, workers, pids = sys.argv[1:]
    evaluate(settings(out, workers=int(workers), episodes=4, options={"folder": pids, "tick_sleep_s": 0.001}))
