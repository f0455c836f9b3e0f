"""SuperTuxKart's geometry without its engine: frames, drive line, map view, labels, heights, reward, assets."""

import math

import numpy as np
import pytest

from sim2real_bench.envs.classes import STK_MAP_CHANNELS, StkClass
from sim2real_bench.envs.map_view import ego_to_map_pixels
from sim2real_bench.envs.observation import MAP_SIZE
from sim2real_bench.envs.supertuxkart import assets, frames
from sim2real_bench.envs.supertuxkart.calibrate import heights_from_samples
from sim2real_bench.envs.supertuxkart.camera import CameraView
from sim2real_bench.envs.supertuxkart.drive_line import DriveLine, build_drive_line, read_quads
from sim2real_bench.envs.supertuxkart.heights import quads_hash, road_heights
from sim2real_bench.envs.supertuxkart.labels import Item, Labeller, RoadIndex
from sim2real_bench.envs.supertuxkart.map_view import MapRenderer
from sim2real_bench.envs.supertuxkart.protocol import (
    ResetRequest,
    SharedBlock,
    WorkerSettings,
    pack_action,
    unpack_action,
)
from sim2real_bench.envs.supertuxkart.reward import RewardWeights, reward_terms
from sim2real_bench.envs.supertuxkart.tracks import HELD_OUT_TRACKS, TRAIN_TRACKS, Track
from sim2real_bench.errors import MissingDependencyError, SimulatorError, UnknownNameError

WIDTH, HEIGHT = 96, 64
NEAR = 1.0


def straight_road(length: float = 60.0, half_width: float = 4.0, pieces: int = 6) -> DriveLine:
    """A road along +x, closed by its successors, at z = 0."""
    edges = np.linspace(0.0, length, pieces + 1)
    start = np.c_[edges[:-1], np.zeros((pieces, 2))]
    end = np.c_[edges[1:], np.zeros((pieces, 2))]
    left = np.array([0.0, half_width, 0.0])
    quads = np.stack([start + left, start - left, end - left, end + left], axis=1)
    successors = tuple(((index + 1) % pieces,) for index in range(pieces))
    return DriveLine(quads, start, end, np.full(pieces, half_width), edges[:-1], successors, length)


def level_camera(position: tuple[float, float, float], focal: float = 48.0) -> CameraView:
    """A camera that looks along +x; its depth buffer is the engine's: 0 at 1 m, 1 far away."""
    rotation = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    return CameraView(WIDTH, HEIGHT, np.array([focal, focal]), rotation, np.array(position), (-2 * NEAR, 1.0))


def ground_depth(view: CameraView) -> np.ndarray:
    """Depth image of the plane z = 0, sky above."""
    rows = np.arange(HEIGHT) + 0.5 - HEIGHT / 2
    fall = np.where(rows > 0, rows / view.focal[1], np.nan)
    depth = np.nan_to_num(view.position[2] / fall, nan=1e6)
    return np.repeat(depth[:, None], WIDTH, axis=1).astype(np.float32)


def pose_at(x: float, y: float, yaw: float = 0.0) -> np.ndarray:
    pose = np.eye(4)
    pose[:2, :2] = [[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]]
    pose[:2, 3] = x, y
    return pose


def test_axes_become_forward_left_up_and_right_handed() -> None:
    right, up, forward = np.eye(3)
    np.testing.assert_array_equal(frames.to_world([forward, -right, up]), np.eye(3))
    np.testing.assert_array_equal(frames.to_engine(frames.to_world([3.0, 4.0, 5.0])), [3.0, 4.0, 5.0])


def test_ego_pose_agrees_with_the_change_of_basis() -> None:
    quaternion = np.array([0.8, -0.3, 0.4, 0.2])
    quaternion /= np.linalg.norm(quaternion)
    basis = frames.WORLD_FROM_ENGINE
    expected = basis @ frames.quaternion_matrix(*quaternion).T @ basis.T
    pose = frames.ego_pose([1.0, 2.0, 3.0], quaternion)
    np.testing.assert_allclose(pose[:3, :3], expected, atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    # The origin lies below the kart along its own up axis.
    np.testing.assert_allclose(
        pose[:3, :3].T @ (frames.to_world([1.0, 2.0, 3.0]) - pose[:3, 3]), [0, 0, 0.24], atol=1e-12
    )


@pytest.mark.parametrize("yaw", [0.0, 0.5, -2.0])
def test_the_yaw_quaternion_points_the_kart_along_the_direction(yaw: float) -> None:
    direction = np.array([math.cos(yaw), math.sin(yaw), 0.0])
    x, y, z, w = frames.engine_yaw_quaternion(direction)
    pose = frames.ego_pose([0.0, 0.0, 0.0], [w, -x, -y, -z])  # the engine reports the inverse
    np.testing.assert_allclose(pose[:3, 0], direction, atol=1e-12)


def test_quads_file_resolves_corner_references(tmp_path) -> None:
    path = tmp_path / "quads.xml"
    path.write_text(
        '<quads><height-testing min="-1" max="5"/>'
        '<quad p0="-4 0 0" p1="4 0 0" p2="4 1 10" p3="-4 1 10"/>'
        '<quad p0="0:3" p1="0:2" p2="4 2 20" p3="-4 2 20" invisible="yes"/></quads>'
    )
    quads = read_quads(path)
    assert quads.shape == (2, 4, 3)
    np.testing.assert_array_equal(quads[1], [[-4, 1, 10], [4, 1, 10], [4, 2, 20], [-4, 2, 20]])
    path.write_text('<quads><quad p0="0:3" p1="0 0 0" p2="0 0 0" p3="0 0 0"/></quads>')
    with pytest.raises(SimulatorError, match="drive line"):
        read_quads(path)


def test_drive_line_is_raised_to_the_road_and_must_fit_the_engine() -> None:
    quads = np.array([[[-4.0, 1.0, 0.0], [4.0, 1.0, 0.0], [4.0, 1.0, 10.0], [-4.0, 1.0, 10.0]]])
    nodes = np.array([[[0.0, 1.0, 0.0], [0.0, 1.0, 10.0]]])
    line = build_drive_line(quads, nodes, np.array([[8.0]]), np.array([[0.0, 10.0]]), [[0]], 10.0, np.array([-0.9]))
    np.testing.assert_allclose(line.start[0], [0.0, 0.0, 0.1])
    np.testing.assert_allclose(line.end[0], [10.0, 0.0, 0.1])
    np.testing.assert_allclose(line.quads[0, :, 2], 0.1)
    assert line.half_widths.tolist() == [4.0]
    with pytest.raises(SimulatorError, match="does not fit"):
        build_drive_line(quads, nodes + 5.0, np.array([[8.0]]), np.array([[0.0, 10.0]]), [[0]], 10.0, np.zeros(1))


def test_place_and_points_ahead_on_a_straight_road() -> None:
    line = straight_road()
    place = line.locate([13.0, 1.5, 0.2], 1)
    assert (place.node, place.fraction) == (1, pytest.approx(0.3))
    assert place.lateral_m == pytest.approx(1.5)  # left is positive
    assert place.above_m == pytest.approx(0.2)
    assert line.distance_down_track_m(place) == pytest.approx(13.0)
    np.testing.assert_allclose(line.ahead(place, (6.0, 9.0, 18.0))[:, 0], [19.0, 22.0, 31.0])
    last = line.locate([58.0, 0.0, 0.0], 5)
    np.testing.assert_allclose(line.ahead(last, (6.0,))[0], [4.0, 0.0, 0.0])  # around the lap


def test_map_view_shows_the_road_where_it_is() -> None:
    line = straight_road()
    out = np.full((len(STK_MAP_CHANNELS), MAP_SIZE, MAP_SIZE), 7, np.uint8)
    kart = pose_at(25.0, -2.0)
    MapRenderer(line, np.array([[30.0, 2.0, 0.5], [30.0, 0.0, 9.0]])).draw(out, pose_at(10.0, 1.0), [kart])
    assert set(np.unique(out)) == {0, 255}
    track, karts, pickups = out > 0
    # The ego is 1 m left of the centre line: the road spans from 3 m left to 5 m right of it.
    columns = np.flatnonzero(track[100])
    assert columns.min() == pytest.approx(MAP_SIZE / 2 - 3 * 5, abs=1)
    assert columns.max() == pytest.approx(MAP_SIZE / 2 + 5 * 5, abs=1)
    column, row = np.mean(np.nonzero(pickups)[::-1], axis=1)
    assert (column, row) == pytest.approx(tuple(ego_to_map_pixels((20.0, 1.0)) - 0.5), abs=0.6)
    column, row = np.mean(np.nonzero(karts)[::-1], axis=1)
    assert (column, row) == pytest.approx(tuple(ego_to_map_pixels((15.0, -3.0)) - 0.5), abs=0.6)


def test_map_view_turns_with_the_heading() -> None:
    line = straight_road()
    out = np.zeros((3, MAP_SIZE, MAP_SIZE), np.uint8)
    MapRenderer(line, np.zeros((0, 3))).draw(out, pose_at(30.0, -10.0, math.pi / 2), [])
    rows = np.flatnonzero(out[0].any(axis=1))  # the road lies across, 6 to 14 m ahead
    assert rows.max() == pytest.approx(ego_to_map_pixels((6.0, 0.0))[1], abs=1.5)
    assert rows.min() == pytest.approx(ego_to_map_pixels((14.0, 0.0))[1], abs=1.5)
    assert (out[0][rows.min() + 2] > 0).all()


def test_labels_of_a_flat_road_agree_with_its_projection() -> None:
    line, view = straight_road(), level_camera((5.0, 0.0, 1.0))
    labels = Labeller(WIDTH, HEIGHT, True).label(
        ground_depth(view), view, RoadIndex(line.quads), [], pose_at(5.0, 0.0), []
    )
    columns = np.arange(WIDTH) + 0.5
    depth = ground_depth(view)
    lateral = (columns - WIDTH / 2) / view.focal[0] * depth
    expected = (np.abs(lateral) < 4.0) & (depth + 5.0 < 60.0)
    assert expected.sum() > 1000
    assert (labels == StkClass.TRACK).sum() == expected.sum()
    np.testing.assert_array_equal(labels == StkClass.TRACK, expected)


def test_a_wall_on_the_road_and_the_sky_are_background() -> None:
    line, view = straight_road(), level_camera((5.0, 0.0, 1.0))
    wall = np.minimum(ground_depth(view), np.float32(10.0))  # an upright wall 10 m ahead across everything
    labels = Labeller(WIDTH, HEIGHT, True).label(wall, view, RoadIndex(line.quads), [], pose_at(5.0, 0.0), [])
    height = 1.0 - (np.arange(HEIGHT) + 0.5 - HEIGHT / 2) / view.focal[1] * 10.0
    assert (labels[(height > 0.4)] == StkClass.BACKGROUND).all()
    assert (labels[-5:, WIDTH // 2] == StkClass.TRACK).all()


def test_things_on_the_road_are_labelled_by_their_volume() -> None:
    line, view = straight_road(), level_camera((5.0, 0.0, 1.0))
    depth = ground_depth(view)
    box = np.s_[30:36, 44:52]
    depth[box] = 10.0  # something about 1.2 m high, 10 m ahead
    road = RoadIndex(line.quads)
    labeller = Labeller(WIDTH, HEIGHT, True)
    item = Item(StkClass.PICKUP, np.array([15.0, 0.0, 0.3]), 1.0, -0.05, 1.5)
    labels = labeller.label(depth, view, road, [item], pose_at(5.0, 0.0), [])
    assert (labels[box] == StkClass.PICKUP).mean() > 0.7
    assert (labels == StkClass.PICKUP).sum() <= 48
    labels = labeller.label(depth, view, road, [], pose_at(5.0, 0.0), [pose_at(15.2, 0.0)])
    assert (labels[box] == StkClass.KART).mean() > 0.6
    behind = labeller.label(depth, view, road, [item], pose_at(5.0, 0.0), [pose_at(-15.2, 0.0)])
    np.testing.assert_array_equal(behind == StkClass.KART, False)


def test_the_own_kart_is_labelled_or_seen_through() -> None:
    line, view = straight_road(), level_camera((5.0, 0.0, 1.0))
    depth = ground_depth(view)
    kart = np.s_[38:46, 40:56]
    depth[kart] = 3.0
    road, ego = RoadIndex(line.quads), pose_at(8.0, 0.0)
    shown = Labeller(WIDTH, HEIGHT, True).label(depth, view, road, [], ego, [])
    hidden = Labeller(WIDTH, HEIGHT, False).label(depth, view, road, [], ego, [])
    assert (shown[kart] == StkClass.KART).mean() > 0.9
    assert (hidden[kart] == StkClass.TRACK).all()


def test_a_bridge_does_not_label_the_road_below_it() -> None:
    below = straight_road().quads
    above = straight_road(half_width=2.0).quads + np.array([0.0, 0.0, 6.0])
    index = RoadIndex(np.concatenate([below, above]))
    points = np.array([[30, 0, 0], [30, 3, 0], [30, 0, 6], [30, 3, 6], [30, 0, 3]], np.float32)
    road, height = index.query(points, np.ones(12, np.bool_))
    assert road.tolist() == [True, True, True, False, False]
    np.testing.assert_allclose(height[[0, 2]], 0.0, atol=1e-5)
    underside = index.facing(np.array([30.0, 0.0, 1.0]))
    assert underside[:6].all() and not underside[6:].any()


def test_camera_matrices_become_a_pinhole_camera() -> None:
    # The engine's convention: row vectors, x right, y up, z forward. Camera at (X, Y, Z) = (1, 2, 3), looking along Z.
    view = np.eye(4)
    view[3, :3] = -1.0, -2.0, -3.0
    near, far = 1.0, 1000.0
    projection = np.zeros((4, 4))
    projection[0, 0], projection[1, 1] = 1.0, 1.5
    projection[2, 2], projection[2, 3], projection[3, 2] = (
        (far + near) / (far - near),
        1.0,
        -2 * far * near / (far - near),
    )
    camera = CameraView.from_matrices(view, projection, WIDTH, HEIGHT)
    point = np.array([2.0, 2.5, 13.0, 1.0])  # 1 m right, 0.5 m up, 10 m ahead
    clip = point @ view @ projection
    expected = (clip[0] / clip[3] + 1) / 2 * WIDTH, (1 - clip[1] / clip[3]) / 2 * HEIGHT
    pixel, depth = camera.on_vehicle(np.eye(4)).project(frames.to_world(point[:3]))
    np.testing.assert_allclose(pixel, expected)
    assert depth == pytest.approx(10.0)
    buffer = np.array([[(clip[2] / clip[3] + 1) / 2]], np.float32)
    assert camera.depth_m(buffer)[0, 0] == pytest.approx(10.0, rel=1e-3)


def test_heights_are_low_percentiles_and_the_median_elsewhere() -> None:
    samples = {0: [-0.9, -0.9, -0.9, 2.0], 1: [-0.5, -0.5, -0.5], 3: [9.0]}
    heights = heights_from_samples(samples, 4)
    assert heights[:2] == [-0.9, -0.5]
    assert heights[2] == heights[3] == -0.5  # the median of the medians -0.9, -0.5, 9.0
    with pytest.raises(SimulatorError, match="no kart"):
        heights_from_samples({}, 4)


def test_heights_belong_to_the_content_of_the_file(tmp_path) -> None:
    path = tmp_path / "quads.xml"
    path.write_text("<quads/>")
    assert len(quads_hash(path)) == 16
    np.testing.assert_array_equal(road_heights(path, 3), np.zeros(3))


def test_reward_is_the_sum_of_its_weighted_terms() -> None:
    weights = RewardWeights(progress=2.0, off_track=-1.0, steer_change=-0.5, rescue=-10.0)
    terms = reward_terms(weights, progress_m=1.5, off_road=True, steer_change=-0.4, rescued=False)
    assert terms == {"progress": 3.0, "off_track": -1.0, "steer_change": pytest.approx(-0.2), "rescue": 0.0}


def test_messages_survive_the_way() -> None:
    request = ResetRequest("hacienda", True, 5, 0.25, -0.1, 0.05)
    assert ResetRequest.unpack(request.pack()) == request
    assert unpack_action(pack_action(-0.5, 0.25)) == (-0.5, 0.25)
    settings = WorkerSettings(("rgb", "speed"), 96, 64, 0, 1, True, "onboard", 1, "/data", 60)
    assert WorkerSettings.from_json(settings.to_json()) == settings


def test_shared_memory_is_seen_from_both_sides() -> None:
    mine = SharedBlock(("rgb", "labels", "speed"), WIDTH, HEIGHT)
    theirs = SharedBlock(("rgb", "labels", "speed"), WIDTH, HEIGHT, mine.descriptor)
    assert set(mine.arrays) == {"rgb", "labels"}
    theirs.arrays["rgb"][:] = 3
    theirs.arrays["labels"][:] = 2
    theirs.telemetry["speed_mps"][0] = 4.5
    assert (mine.arrays["rgb"] == 3).all() and (mine.arrays["labels"] == 2).all()
    assert mine.telemetry["speed_mps"][0] == 4.5
    mine.close()
    mine.close()


def test_splits_are_disjoint_and_driven_both_ways() -> None:
    train, held_out = {track.name for track in TRAIN_TRACKS}, {track.name for track in HELD_OUT_TRACKS}
    assert not train & held_out
    assert (len(train), len(held_out)) == (8, 4)
    assert {Track(name, True) for name in train} | {Track(name) for name in train} == set(TRAIN_TRACKS)
    with pytest.raises(UnknownNameError, match="lighthouse"):
        Track("temple")


def test_missing_assets_are_explained(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SUPERTUXKART_DATADIR", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="SUPERTUXKART_DATADIR"):
        assets.find_assets()
    monkeypatch.delenv("SUPERTUXKART_DATADIR")
    monkeypatch.setattr(assets, "DEBIAN_DATA", tmp_path / "none")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="apt-get install supertuxkart-data"):
        assets.find_assets()


@pytest.mark.parametrize("folder", ["data", "."])
def test_assets_are_found_in_the_named_folder(monkeypatch, tmp_path, folder: str) -> None:
    data = tmp_path / folder
    for name in ("tracks", "karts", "skins/peach"):
        (data / name).mkdir(parents=True)
    (data / "stk_config.xml").touch()
    monkeypatch.setenv("SUPERTUXKART_DATADIR", str(tmp_path))
    found = assets.find_assets()
    assert (found.kind, found.path.resolve()) == ("environment", data.resolve())
    home = tmp_path / "home"
    home.mkdir()
    variables = assets.engine_environment(found, home)
    assert variables["SUPERTUXKART_ASSETS_DIR"] == str(found.path)
    assert (home / "base/data/skins/classic").resolve() == (data / "skins/peach").resolve()
