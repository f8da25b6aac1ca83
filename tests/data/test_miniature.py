"""The miniature: a function of (seed, frames) alone, in the real formats, with every class, made once."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from udamlf.common.errors import UserError
from udamlf.config.labels import CITYSCAPES_16, CITYSCAPES_19, IGNORE, ROBOTCAR_9, LabelSpace
from udamlf.data.dataset import SHIPPED
from udamlf.data.splits import is_generated
from udamlf.miniature import DATA_SETS, DEFAULT_FRAMES, Frames, cached_world, generate
from udamlf.miniature import world as world_module
from udamlf.miniature.canvas import Canvas, Dice, Thing
from udamlf.miniature.frame import draw_frame
from udamlf.miniature.palette import MATERIALS, to_rgb
from udamlf.miniature.style import CAMERA, CAMERA_RAIN, GAME, GAME_SYNTHIA

TINY = Frames.tiny(3)
SPACES: dict[str, LabelSpace] = {
    "gta5": CITYSCAPES_19,
    "synthia": CITYSCAPES_16,
    "cityscapes": CITYSCAPES_19,
    "robotcar": ROBOTCAR_9,
}


def _bytes(root: Path) -> dict[str, str]:
    files = (p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world") / "tiny"
    generate(root, seed=3, frames=TINY, workers=1)
    return root


# --- worlds -------------------------------------------------------------------------------------------------------


def test_same_seed_same_bytes_whatever_the_workers(tiny: Path, tmp_path: Path) -> None:
    """Every file of the world, with one process and with three."""
    generate(tmp_path / "again", seed=3, frames=TINY, workers=3)
    assert _bytes(tmp_path / "again") == _bytes(tiny)


def test_other_seeds_other_worlds(tiny: Path, tmp_path: Path) -> None:
    generate(tmp_path / "other", seed=4, frames=TINY, workers=1)
    here, there = _bytes(tiny), _bytes(tmp_path / "other")
    assert here.keys() == there.keys()
    assert all(there[name] != digest for name, digest in here.items() if name.endswith(".png"))


def test_more_frames_keep_the_first_ones(tiny: Path, tmp_path: Path) -> None:
    """A frame depends on its own number only."""
    generate(tmp_path / "larger", seed=3, frames=Frames.tiny(4), workers=1)
    larger = _bytes(tmp_path / "larger")
    assert all(larger[name] == digest for name, digest in _bytes(tiny).items() if name.endswith(".png"))


def test_splits_share_no_frame(tiny: Path) -> None:
    """Train, dev and test have their own seeds: no image occurs twice in a world."""
    digests = [digest for name, digest in _bytes(tiny).items() if "label" not in name.lower() and name.endswith(".png")]
    images = [d for d in digests if digests.count(d) > 1]
    assert images == []


@pytest.mark.parametrize("name", DATA_SETS)
def test_the_real_readers_read_it(tiny: Path, name: str) -> None:
    """Sizes, splits, label ids; RobotCar's training frames have no labels, everything else has."""
    data_set, space = SHIPPED[name], SPACES[name]
    splits = {"train", "val"} | ({"test"} if name in ("cityscapes", "robotcar") else set())
    for split in sorted(splits):
        labelled = (name, split) != ("robotcar", "train")
        samples = data_set.samples(tiny, split)
        assert len(samples) == 3
        for sample in samples:
            image = data_set.read_image(sample)
            assert image.shape == (128, 256, 3)
            assert (sample.label is not None) == labelled
            if labelled:
                ids = np.unique(data_set.read_label(sample, space))
                assert set(ids) <= {*range(space.num_classes), IGNORE}
                assert len(ids) > 4


def test_files_hold_what_was_drawn(tiny: Path) -> None:
    """Writing and reading the real format changes no pixel and no label."""
    data_set = SHIPPED["cityscapes"]
    for i, sample in enumerate(data_set.samples(tiny, "test")):
        image, label = draw_frame(CAMERA, 3, "cityscapes", "test", i)
        np.testing.assert_array_equal(data_set.read_image(sample), image)
        np.testing.assert_array_equal(data_set.read_label(sample, CITYSCAPES_19), label)


def test_cityscapes_serves_as_a_source_of_robotcar(tiny: Path) -> None:
    data_set = SHIPPED["cityscapes"]
    label = data_set.read_label(data_set.samples(tiny, "train")[0], ROBOTCAR_9)
    assert ROBOTCAR_9.classes.index("road") in label


def test_marker(tiny: Path, tmp_path: Path) -> None:
    """A world says what it is; another folder does not."""
    assert is_generated(tiny)
    assert not is_generated(tmp_path)
    marker = json.loads((tiny / "miniature.json").read_text())
    assert marker["seed"] == 3
    assert marker["frames"]["target_test"] == 3


def test_generate_refuses_to_mix(tiny: Path, tmp_path: Path) -> None:
    """The same world again is no work; anything else in the folder is an error and stays as it is."""
    before = _bytes(tiny)
    generate(tiny, seed=3, frames=TINY)
    assert _bytes(tiny) == before
    with pytest.raises(UserError, match="not empty"):
        generate(tiny, seed=5, frames=TINY)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        generate(tmp_path / "full", seed=3, frames=TINY)
    with pytest.raises(UserError, match="seed -1"):
        generate(tmp_path / "new", seed=-1)
    (tmp_path / "empty").mkdir()
    generate(tmp_path / "empty", seed=3, frames=TINY, workers=1)
    assert _bytes(tmp_path / "empty") == before


def test_a_failed_generation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error half way: no folder, no left-over."""

    def fail(*arguments: object) -> None:
        write(*arguments)  # type: ignore[arg-type]
        if arguments[1] == "robotcar":
            raise KeyboardInterrupt

    write: Callable[..., None] = world_module.write_frames
    monkeypatch.setattr(world_module, "write_frames", fail)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "world", seed=0, frames=Frames.tiny(1), workers=1)
    assert list(tmp_path.iterdir()) == []


# --- cache --------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UDAMLF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_cached_world_grows_on_demand(cache: Path, tiny: Path) -> None:
    """Only what is needed is drawn, once; the bytes are those of ``generate``."""
    root = cached_world(3, needs=("gta5",), frames=TINY, workers=1)
    assert is_generated(root)
    assert sorted(p.name for p in root.iterdir()) == ["gta5", "miniature.json"]
    stamp = (root / "gta5" / "images").stat().st_mtime_ns
    assert cached_world(3, needs=("gta5", "cityscapes"), frames=TINY, workers=1) == root
    assert (root / "gta5" / "images").stat().st_mtime_ns == stamp
    whole = _bytes(tiny)
    assert all(whole[name] == digest for name, digest in _bytes(root).items())


def test_cached_worlds_do_not_mix(cache: Path) -> None:
    roots = {cached_world(seed, needs=("gta5",), frames=Frames.tiny(n), workers=1) for seed in (0, 1) for n in (1, 2)}
    assert len(roots) == 4


def test_cached_world_after_a_kill(cache: Path) -> None:
    """Left-overs of a killed process are removed, the data set is drawn anew."""
    root = cached_world(3, needs=("gta5",), frames=TINY, workers=1)
    left_over = root / ".synthia.killed"
    (left_over / "synthia").mkdir(parents=True)
    cached_world(3, needs=("synthia",), frames=TINY, workers=1)
    assert not left_over.exists()
    assert len(SHIPPED["synthia"].samples(root, "train")) == 3


def test_cached_world_bad_input(cache: Path) -> None:
    with pytest.raises(UserError, match="camvid"):
        cached_world(0, needs=("camvid",))
    with pytest.raises(UserError, match="seed -2"):
        cached_world(-2)


def _cached(results: multiprocessing.Queue[tuple[str, float]]) -> None:
    root = cached_world(5, needs=("gta5",), frames=Frames.tiny(8), workers=1)
    results.put((str(root), (root / "gta5" / "images").stat().st_mtime_ns))


def test_two_processes_draw_once(cache: Path) -> None:
    """Started together, the second waits for the first and both return the same whole folder."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_cached, args=(results,)) for _ in range(2)]
    for process in processes:
        process.start()
    found = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(found) == 1
    root = Path(found.pop()[0])
    assert len(SHIPPED["gta5"].samples(root, "train")) == 8
    assert not list(root.glob(".*"))


# --- frames -------------------------------------------------------------------------------------------------------


def _drawn(style_name: str, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    style = {"game": GAME, "synthia": GAME_SYNTHIA, "camera": CAMERA, "rain": CAMERA_RAIN}[style_name]
    frames = [draw_frame(style, 1, "test", i) for i in range(count)]
    return np.stack([image for image, _ in frames]), np.stack([label for _, label in frames])


@pytest.mark.parametrize(
    ("style", "absent"),
    [("game", ()), ("camera", ()), ("synthia", ("terrain", "truck", "train")), ("rain", ("train",))],
)
def test_class_presence(style: str, absent: tuple[str, ...]) -> None:
    """All 19 classes (what the style leaves out apart), the rare ones in a fair share of the images."""
    _, labels = _drawn(style)
    counts = np.stack([np.bincount(label.ravel(), minlength=256)[:19] for label in labels])
    share = counts.sum(0) / labels.size
    for i, name in enumerate(CITYSCAPES_19.classes):
        if name in absent:
            assert share[i] == 0, name
        else:
            assert share[i] > 0.002, name
            assert (counts[:, i] > 20).mean() > 0.08, name
    assert share[0] > 0.2  # a street is mostly road


def test_only_the_camera_has_a_bonnet() -> None:
    """Ignored pixels: the car's own bonnet, at the bottom."""
    assert (_drawn("game", 10)[1] != IGNORE).all()
    labels = _drawn("camera", 20)[1]
    assert (labels == IGNORE).any()
    assert (labels[:, :100] != IGNORE).all()


def test_labels_are_aligned_with_the_image() -> None:
    """The image has its edges where the label has them: moved by two pixels, the agreement drops on every side."""
    images, labels = _drawn("game", 12)
    grey = images.astype(np.float32).mean(-1)
    steps = np.abs(np.diff(grey, axis=2))[:, 4:-4, 4:-4]

    def strength(dx: int, dy: int) -> float:
        edges = np.diff(labels.astype(int), axis=2) != 0
        return float(steps[np.roll(edges, (dy, dx), (1, 2))[:, 4:-4, 4:-4]].mean())

    for shift in ((2, 0), (-2, 0), (0, 2), (0, -2)):
        assert strength(0, 0) > 1.15 * strength(*shift)


def test_appearance_is_a_continuum() -> None:
    """The same street at growing novelty: no label moves, and the picture goes ever farther from the familiar one."""
    for i in range(4):
        frames = [draw_frame(replace(CAMERA, novelty=n), 1, "test", i) for n in (1e-6, 0.3, 0.6, 0.9, 1.2)]
        assert all((label == frames[0][1]).all() for _, label in frames)
        distances = [np.abs(image.astype(int) - frames[0][0]).mean() for image, _ in frames]
        assert distances == sorted(distances)
        assert distances[-1] > 5


def test_every_object_has_its_own_novelty() -> None:
    """t is uniform from 0 to novelty * scale of the material; the game world has none of it, and no field."""
    camera, game = (Canvas(style, Dice(np.random.default_rng(0))) for style in (CAMERA, GAME))
    for material in ("road", "car", "vegetation"):
        drawn = np.array([camera.thing(material).t for _ in range(2000)]) / (CAMERA.novelty * MATERIALS[material].scale)
        np.testing.assert_allclose(np.quantile(drawn, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.04)
        assert game.thing(material, lively=True) == Thing()


def test_new_looks_on_the_ground_are_no_other_ground_class() -> None:
    """No swaps where position tells nothing: every new look is at least 0.12 in RGB from the other game colours."""
    ground = ("road", "sidewalk", "terrain")
    for name in ground:
        for new in MATERIALS[name].new:
            for other in set(ground) - {name}:
                for game in MATERIALS[other].game:
                    assert np.linalg.norm(np.subtract(to_rgb(new), to_rgb(game))) > 0.12, (name, new, other)


def test_default_sizes() -> None:
    """400 source, 400 target, 100 source-val, 100 dev and 150 test frames, as in the prototype."""
    assert Frames(400, 100, 400, 100, 150) == DEFAULT_FRAMES
