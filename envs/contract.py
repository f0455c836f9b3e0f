"""The contract of every environment, as a test class to inherit from: for this package and for authors of others.

class TestMyEnvironment(EnvironmentContract):
    observations = ("map_view", "speed")

    def make(self, observations: tuple[str, ...]) -> gymnasium.Env:
        return MyEnvironment(observations=observations)
"""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env

from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.observation import Observation
from sim2real_bench.errors import ConfigurationError

Environment = gymnasium.Env[Any, Any]

STEPS = 15
DRIVING_INFO: Mapping[str, type] = {"ego_pose": np.ndarray, "speed_mps": float, "off_road": bool, "distance_m": float}
"""Keys of ``info`` after every reset and step of a driving environment, and their types."""


class EnvironmentContract:
    """Inherit, set the attributes and write ``make``; pytest then runs the tests below.

    Attributes:
        observations: keys for the exact tests; these observations must repeat bit for bit with the seed.
        camera_observations: keys for the tests with pictures, or empty.
        differing_pixels: share of a picture's values in which two runs with one seed may differ (0: same bytes).
        info_types: keys of ``info`` and their types.
    """

    observations: tuple[str, ...] = ("map_view", "speed", "waypoints")
    camera_observations: tuple[str, ...] = ("rgb", "labels", "depth")
    differing_pixels: float = 0.0
    info_types: Mapping[str, type] = DRIVING_INFO

    def make(self, observations: tuple[str, ...]) -> Environment:
        """A new environment; the caller closes it."""
        raise NotImplementedError

    def test_gymnasium_checker_accepts_it(self) -> None:
        """Gymnasium's own checker finds nothing wrong."""
        env = self.make(self.observations)
        try:
            check_env(env, skip_render_check=True)
        finally:
            env.close()

    def test_reset_and_step_return_what_the_spaces_promise(self) -> None:
        """Observations lie in their space, hold exactly the requested keys, and ``info`` is complete."""
        env = self.make(self.observations)
        try:
            observation, info = env.reset(seed=1)
            self.check_observation(env, observation, self.observations)
            self.check_info(info, with_camera=False)
            for action in self.actions(env):
                observation, reward, terminated, truncated, info = env.step(action)
                self.check_observation(env, observation, self.observations)
                self.check_info(info, with_camera=False)
                assert isinstance(reward, float), type(reward)
                assert isinstance(terminated, bool), type(terminated)
                assert isinstance(truncated, bool), type(truncated)
                if terminated or truncated:
                    break
        finally:
            env.close()

    def test_same_seed_gives_the_same_states(self) -> None:
        """Two episodes with one seed are equal, in one environment and in two; another seed differs."""
        first, second = self.make(self.observations), self.make(self.observations)
        try:
            episodes = [self.episode(env, seed) for env, seed in ((first, 3), (first, 3), (second, 3), (second, 4))]
        finally:
            first.close()
            second.close()
        for again in episodes[1:3]:
            assert len(again) == len(episodes[0])
            for (before, pose), (after, other_pose) in zip(episodes[0], again, strict=True):
                np.testing.assert_array_equal(pose, other_pose)
                for key, value in before.items():
                    np.testing.assert_array_equal(value, after[key], err_msg=key)
        assert not np.array_equal(episodes[0][0][1], episodes[3][0][1]), "seeds 3 and 4 start at the same place"

    def test_observations_are_not_reused(self) -> None:
        """An observation keeps its values when the environment goes on."""
        env = self.make(self.observations)
        try:
            kept, _ = env.reset(seed=1)
            copies = {key: value.copy() for key, value in kept.items()}
            for action in self.actions(env):
                env.step(action)
            for key, value in kept.items():
                np.testing.assert_array_equal(value, copies[key], err_msg=key)
        finally:
            env.close()

    def test_pictures_repeat_with_the_seed(self) -> None:
        """Camera observations lie in their space and repeat, but for the declared share of pixels."""
        if not self.camera_observations:
            return
        env = self.make(self.camera_observations)
        try:
            episodes = []
            for _ in range(2):
                observation, info = env.reset(seed=2)
                self.check_observation(env, observation, self.camera_observations)
                self.check_info(info, with_camera=True)
                for action in self.actions(env)[:3]:
                    observation, *_, info = env.step(action)
                self.check_observation(env, observation, self.camera_observations)
                episodes.append(observation)
        finally:
            env.close()
        for key, value in episodes[0].items():
            share = float(np.mean(value != episodes[1][key]))
            assert share <= self.differing_pixels, f"{share} of {key} differ, allowed {self.differing_pixels}"

    def test_close_is_safe_twice(self) -> None:
        """``close`` may come before the first reset, and twice."""
        env = self.make(self.observations)
        env.close()
        env.reset(seed=0)
        env.close()
        env.close()

    def test_an_unknown_observation_is_refused(self) -> None:
        """An unknown observation key is a configuration error that names the key."""
        try:
            env = self.make((*self.observations, "smell"))
        except ConfigurationError as error:
            assert "smell" in str(error)
        else:
            env.close()
            raise AssertionError("observations=('smell',) was accepted")

    def check_observation(self, env: Environment, observation: Observation, keys: tuple[str, ...]) -> None:
        """Assert that an observation holds exactly ``keys`` and lies in the space."""
        assert set(observation) == set(keys), set(observation)
        for key, value in observation.items():
            assert isinstance(value, np.ndarray), f"{key} is {type(value)}"
        assert env.observation_space.contains(observation)

    def check_info(self, info: dict[str, Any], with_camera: bool) -> None:
        """Assert that ``info`` has the promised keys and types, and a valid pose."""
        for key, kind in self.info_types.items():
            assert isinstance(info[key], kind), f"info[{key!r}] is {type(info[key])}, promised {kind}"
        assert ("camera" in info) == with_camera
        if with_camera:
            assert isinstance(info["camera"], PinholeCamera)
        if "ego_pose" in self.info_types:
            rotation = info["ego_pose"][:3, :3]
            assert info["ego_pose"].shape == (4, 4)
            np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
            assert np.linalg.det(rotation) > 0, "the ego frame is left-handed"

    def actions(self, env: Environment) -> list[Any]:
        """A fixed list of actions."""
        env.action_space.seed(0)
        return [env.action_space.sample() for _ in range(STEPS)]

    def episode(self, env: Environment, seed: int) -> list[tuple[Observation, Any]]:
        """Observations and ego poses of a short episode."""
        observation, info = env.reset(seed=seed)
        episode = [(observation, info.get("ego_pose"))]
        for action in self.actions(env):
            observation, _, terminated, truncated, info = env.step(action)
            episode.append((observation, info.get("ego_pose")))
            if terminated or truncated:
                break
        return episode
