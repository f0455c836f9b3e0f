"""The driver that is kept: judged by laps of the training tracks, the best and not the last."""

import numpy as np
import pytest

from sim2real_bench.agents.checkpoints import read_card
from sim2real_bench.agents.kart_drives import KartDrive
from sim2real_bench.agents.ppo.lap_check import LapCheck
from sim2real_bench.agents.ppo.settings import PpoSettings
from sim2real_bench.agents.ppo.track_draw import TrackDraw
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


def test_unfinished_tracks_are_drawn_more_often():
    draw = TrackDraw(TRAIN_TRACKS[:4], focus=0.5)
    rng = np.random.default_rng(0)
    shares = np.bincount([TRAIN_TRACKS.index(draw.draw(rng)) for _ in range(4000)]) / 4000
    np.testing.assert_allclose(shares, 0.25, atol=0.03)
    draw.unfinished = (TRAIN_TRACKS[2],)
    shares = np.bincount([TRAIN_TRACKS.index(draw.draw(rng)) for _ in range(4000)]) / 4000
    np.testing.assert_allclose(shares, [0.125, 0.125, 0.625, 0.125], atol=0.03)


@pytest.mark.simulator
def test_a_worse_driver_does_not_replace_the_one_kept(stk, tmp_path, monkeypatch):
    from sim2real_bench.agents.ppo import training

    tracks = TRAIN_TRACKS[2:4]
    verdicts = iter([("lap", 0.9), ("stuck", 0.9), ("stuck", 0.9), ("lap", 1.0)])
    drawn = []

    def drives(driver, judged, seed):
        ended, share = next(verdicts)
        return [drive("lap", 1.0), drive(ended, share)]

    class Draw(TrackDraw):
        def draw(self, rng):
            drawn.append(self.unfinished)
            return super().draw(rng)

    monkeypatch.setattr(training, "drive_laps", drives)
    monkeypatch.setattr(training, "TrackDraw", Draw)
    settings = PpoSettings(
        total_steps=256, workers=2, episode_steps=40, rollout_steps=128, batch_size=64, epochs=1, save_every_steps=200
    )

    def kept(total_steps, resume):
        longer = PpoSettings(**{**settings.__dict__, "total_steps": total_steps})
        path = training.train_ppo(longer, tmp_path, command="a test", resume=resume, tracks=tracks)
        return read_card(path).metrics

    # Judged when saving after 256 steps and at the end of that training; when going on, and at that end.
    first = kept(256, resume=False)
    assert (first["steps"], first["laps_finished"], first["lap_share"]) == (256, 2.0, 0.95)
    assert set(drawn) == {()}
    second = kept(384, resume=True)
    assert (second["steps"], second["lap_share"]) == (384, 1.0)
    assert (tracks[1],) in drawn
    assert next(verdicts, None) is None
