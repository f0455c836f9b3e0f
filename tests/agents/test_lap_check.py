"""The driver that is kept: judged by laps of the training tracks, the best and not the last."""

import pytest

from sim2real_bench.agents.checkpoints import read_card
from sim2real_bench.agents.kart_drives import KartDrive
from sim2real_bench.agents.ppo.lap_check import LapCheck
from sim2real_bench.agents.ppo.settings import PpoSettings
from sim2real_bench.envs.supertuxkart.tracks import TRAIN_TRACKS


def drive(ended, share, progress_m=100.0, driven_s=10.0):
    return KartDrive("lighthouse", False, ended, progress_m, share, driven_s, 0.0, 0.1, 0.02, 0)


def test_numbers_of_a_check_by_hand():
    check = LapCheck.of([drive("lap", 1.04, 110.0, 10.0), drive("off_track", 0.5, 50.0, 10.0)])
    assert check == LapCheck(laps_finished=1.0, lap_share=0.75, metres_per_second=8.0)


def test_laps_count_before_shares_and_shares_before_speed():
    finished = LapCheck.of([drive("lap", 1.0), drive("off_track", 0.1)])
    nearly = LapCheck.of([drive("off_track", 0.99, 190.0), drive("off_track", 0.99, 190.0)])
    assert finished > nearly
    assert nearly > LapCheck.of([drive("stuck", 0.98, 300.0), drive("stuck", 0.98, 300.0)])
    assert LapCheck.of([drive("lap", 1.0, 100.0, 9.0)]) > LapCheck.of([drive("lap", 1.0, 100.0, 10.0)])


@pytest.mark.simulator
def test_a_worse_driver_does_not_replace_the_one_kept(stk, tmp_path, monkeypatch):
    from sim2real_bench.agents.ppo import training

    verdicts = iter([LapCheck(1.0, 0.9, 8.0), LapCheck(1.0, 0.8, 9.0), LapCheck(2.0, 1.0, 9.0)])
    monkeypatch.setattr(training, "check_laps", lambda driver, tracks, seed: next(verdicts))
    settings = PpoSettings(
        total_steps=256, workers=2, episode_steps=40, rollout_steps=128, batch_size=64, epochs=1, save_every_steps=200
    )

    def steps_kept(total_steps, resume):
        longer = PpoSettings(**{**settings.__dict__, "total_steps": total_steps})
        path = training.train_ppo(longer, tmp_path, command="a test", resume=resume, tracks=TRAIN_TRACKS[2:3])
        return read_card(path).metrics["steps"]

    # Judged after 256 steps when saving, again at the end of that training, and at the end of the longer one.
    assert steps_kept(256, resume=False) == 256
    assert read_card(tmp_path / "stk-ppo").metrics["lap_share"] == 0.9
    assert steps_kept(384, resume=True) == 384
    assert read_card(tmp_path / "stk-ppo").metrics["laps_finished"] == 2.0
