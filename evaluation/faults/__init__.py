"""Simulators and agents that fail on purpose, to try a run, a supervisor or an own method on a laptop.

``settings.fake_settings(out, faults=("segfault@10",))`` makes what ``runner.evaluate`` takes; nothing else is needed:
no simulator, no graphics, no network. ``docs/faults.md`` shows what each fault does to a run.
"""
