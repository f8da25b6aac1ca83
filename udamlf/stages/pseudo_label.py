"""Label the target: each image is one forward pass of the previous network, then goes through the selector."""

import copy
import io
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from udamlf.common.ahead import Item, Result, ahead
from udamlf.common.errors import UserError
from udamlf.common.files import write_json, write_text
from udamlf.common.progress import progress, tracked
from udamlf.config.budget import EvalProtocol, Size
from udamlf.config.parts import Part
from udamlf.config.schema import SOURCE, TARGET, Config
from udamlf.data.maps import top1
from udamlf.data.pseudo_labels import publish, write_arrays
from udamlf.data.splits import ScenarioData
from udamlf.evaluation.calibration import CONFIDENCE, sample, stored_confidence
from udamlf.evaluation.predict import label_size, mean_scores, network_logits, probabilities, resized
from udamlf.models.base import NETWORKS, Output, SegmentationModel, device, devices
from udamlf.report.figures import examples_figure
from udamlf.selection.base import SELECTORS, BaseSelector, Publication, build, label_images
from udamlf.selection.quality import Quality
from udamlf.stages.labelling import labelling_network, labelling_reads
from udamlf.stages.stage import BaseStage, Declaration, Job, previous_training, subset_input


class Stage(BaseStage):
    """Labels ``target_train`` with the network of the input "generator"; publishes ``pseudo_labels/``."""

    every_gpu: ClassVar[bool] = True

    def rounds(self, config: Config) -> Iterable[int]:
        return [n for n in config.method.round_numbers if config.method.round_at(n).selector]

    def declare(self, config: Config, round: int) -> Declaration:
        selector = selector_part(config, round)
        looks = SELECTORS.find(selector.name)
        reads_source = looks.reads_source or looks.observes_source
        return Declaration(
            inputs={"generator": previous_training(config, round), **subset_input(config)},
            reads={**labelling_reads(config, round), "selector": selector.model_dump()},
            splits={TARGET: False} | ({SOURCE: True} if reads_source else {}),
            parts=[(SELECTORS, selector), (NETWORKS, config.backbone(round - 1))],
        )

    def check(self, config: Config, round: int) -> None:
        super().check(config, round)
        selector, settings = build(selector_part(config, round), config.space, round), config.method.round_at(round)
        name = selector_part(config, round).name
        if config.labelling(round).window and selector.observes_network:
            raise UserError(f"selector {name} with labelling.window", "whole images: it learns the network's outputs")
        if lacking := [part for part in settings.parts_of_target if part not in selector.parts]:
            message = f"method.round: selector {name} publishes no part {lacking[0]!r}"
            raise UserError(f"{message} of the target", " | ".join(selector.parts) or "target_train")

    def run(self, job: Job) -> None:
        config, data = job.config, job.data
        job.log_split(TARGET, "target")
        selector = build(selector_part(config, job.round), config.space, job.round)
        if selector.reads_source:
            job.log_split(SOURCE, "prior")
            selector.prepare(SourceLabels(data))
        labeller = Labeller(job, selector)
        if selector.observes_source:
            labeller.observe_source(SourceLabels(data))
        publication, names = labeller.publish(), [frame.name for frame in labeller.frames]
        if table := publication.table:
            rows = [{**row, "image": names[row["image"]]} for row in table.rows]  # by name instead of position
            write_json(job.out / table.name / f"{table.name}.json", {**table.summary, table.name: rows})
            write_text(job.out / table.name / f"{table.name}.csv", pd.DataFrame(rows).to_csv(index=False))
        if publication.examples:
            pictures = [
                (f"{title}  {names[index]}", labeller.image(index), labeller.scores(index).cpu().numpy())
                for title, index in publication.examples
            ]
            examples_figure(pictures, config.space, data.kind, job.out / "figures" / "examples.png")


def selector_part(config: Config, round: int) -> Part:
    selector = config.method.round_at(round).selector
    assert selector is not None
    return selector


class SourceLabels(Sequence[np.ndarray]):
    """Label maps uint8 [H, W] of the source, each read when it is asked for."""

    def __init__(self, data: ScenarioData) -> None:
        self.dataset, self.frames, self.space = data.dataset(SOURCE), data.samples(SOURCE, True), data.config.space

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: Any) -> Any:
        return self.dataset.read_label(self.frames[index], self.space)


class Networks:
    """The network that labels, once on every GPU that this process sees: images are spread over them."""

    def __init__(self, model: SegmentationModel) -> None:
        copies = [copy.deepcopy(model).to(where) for where in devices()[1:]]
        self.count, self._free = 1 + len(copies), SimpleQueue[SegmentationModel]()
        for each in (model, *copies):
            self._free.put(each)

    def __call__(self, inputs: list[np.ndarray], protocol: EvalProtocol) -> tuple[list[Tensor], Output]:
        """``network_logits`` of an image, on the first device, and the network's output of the first pass, which is
        unmirrored and at the protocol's first size."""
        outputs, model = list[Output](), self._free.get()
        hook = model.register_forward_hook(lambda module, images, output: outputs.append(output))
        try:
            logits = network_logits(model, inputs, protocol)
        finally:
            hook.remove()
            self._free.put(model)
        maps = ((name, value) for name, value in outputs[0]._asdict().items() if torch.is_tensor(value))
        here: dict[str, Any] = {name: value.to(device()) for name, value in maps}
        return [each.to(device()) for each in logits], outputs[0]._replace(**here)

    def ahead(self, look: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """``look``, which calls this once, of every item, in their order; in a thread for every network beyond one."""
        return ahead(look, items, self.count if self.count > 1 else 0)


class Labeller:
    """Labels the target image by image; each passes the network once. The scores of the images that one ``assign``
    pools are held in memory; for a selector with ``passes`` the logits stay on the disk and read again."""

    def __init__(self, job: Job, selector: BaseSelector) -> None:
        self.job, self.selector, self.workers = job, selector, job.config.profile.workers
        self.dataset, self.frames = job.data.dataset(TARGET), job.data.samples(TARGET)
        self.protocol = job.config.labelling(job.round)
        self.model = labelling_network(job, job.inputs["generator"])
        self.networks = Networks(self.model)
        self.recent: OrderedDict[int, Tensor] = OrderedDict()
        count = len(self.frames)
        first = range(count) if selector.passes else selector.order(count, job.config.seed)
        self.coming = self.networks.ahead(self.look, ahead(self.read, first, self.workers))
        self.stored = StoredLogits(job.work) if selector.passes else None

    def image(self, index: int) -> np.ndarray:
        """uint8 RGB [H, W, 3] of its own size."""
        return self.dataset.read_image(self.frames[index])

    def read(self, index: int) -> tuple[Size, list[np.ndarray]]:
        """An image's own size, and what the network sees of it."""
        image = self.image(index)
        return (image.shape[0], image.shape[1]), resized(image[None], self.protocol)

    def look(self, read: tuple[Size, list[np.ndarray]]) -> tuple[Size, list[Tensor], Output]:
        """An image's own size, and what the network makes of it."""
        return read[0], *self.networks(read[1], self.protocol)

    def scores(self, index: int) -> Tensor:
        """Probabilities float32 [C, H, W] at the labelling size."""
        if self.stored and (earlier := self.stored.get(index)):
            native_hw, logits = earlier
        else:
            native_hw, logits, output = next(self.coming, None) or self.look(self.read(index))
            if self.stored:
                self.stored.put(index, native_hw, logits)
            if self.selector.observes_network:
                self.selector.observe_network(output, index)
        size = label_size(self.protocol, native_hw)
        values = mean_scores(self.model, logits, native_hw, self.protocol, size)[0]
        self.recent[index] = probabilities(values, self.protocol)
        while len(self.recent) > self.selector.group:
            self.recent.popitem(last=False)
        return self.recent[index]

    def observe_source(self, labels: SourceLabels) -> None:
        protocol = self.job.config.at_split(self.protocol, SOURCE)

        def read(index: int) -> tuple[list[np.ndarray], np.ndarray]:
            return resized(labels.dataset.read_image(labels.frames[index])[None], protocol), labels[index]

        def look(pair: tuple[list[np.ndarray], np.ndarray]) -> tuple[Output, np.ndarray]:
            return self.networks(pair[0], protocol)[1], pair[1]

        pairs = self.networks.ahead(look, ahead(read, range(len(labels)), self.workers))
        for output, label in tracked(pairs, f"{self.job.title}, looking at the source", len(labels)):
            self.selector.observe_source(output, label)

    def publish(self) -> Publication:
        """Write ``pseudo_labels/``, and log their quality; what the selector gives."""
        job, config, names = self.job, self.job.config, [frame.name for frame in self.frames]
        quality, order = Quality(config.space.num_classes, device()), list[int]()
        confidence, publication = dict.fromkeys(sample(names), np.empty(0, np.uint8)), Publication({})

        def labelled() -> Iterator[tuple[int, np.ndarray, Tensor]]:
            with progress(f"{job.title}, labelling", len(names) * (self.selector.passes + 1)) as update:

                def scores(index: int) -> Tensor:
                    update()
                    return self.scores(index)

                for index, label in label_images(self.selector, len(names), config.seed, scores):
                    yield index, label, self.recent.pop(index)

        def measured(item: tuple[int, np.ndarray, Tensor]) -> tuple[str, np.ndarray]:
            index, label, scores = item
            quality.add(*top1(scores), torch.from_numpy(label).to(device()))
            if names[index] in confidence:
                confidence[names[index]] = stored_confidence(scores, label)
            order.append(index)
            return names[index], label

        def finish() -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
            nonlocal publication
            facts = {
                "label_space": config.space.name,
                "selector": selector_part(config, job.round).model_dump(),
                "round": job.round,
                "order": [names[index] for index in order],
                "protocol": self.protocol.model_dump(),
                "quality": quality.metrics(config.space, self.selector.thresholds()),
            }
            publication = self.selector.publish()
            return facts, publication.arrays

        folder, places = job.out / "pseudo_labels", {name: index for index, name in enumerate(names)}
        soft = (lambda name: self.selector.soft_label(places[name])) if self.selector.stores_soft else None
        labels = ahead(measured, labelled(), min(self.workers, 1), each=1)
        manifest = publish(folder, labels, finish, soft)
        job.log.log_metrics(manifest["quality"], job.round)
        write_arrays(folder / CONFIDENCE, confidence)
        return publication


class StoredLogits:
    """The network's outputs on the disk, in a file without a name, until it has half of the space that there was."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, it lives as long as this
        self._places = dict[int, tuple[Size, int, int]]()  # size of the image, place in the file, arrays
        self._limit = shutil.disk_usage(folder).free // 2

    def put(self, index: int, native_hw: Size, logits: Sequence[Tensor]) -> None:
        place = self._file.seek(0, io.SEEK_END)
        if place + sum(tensor.nbytes for tensor in logits) < self._limit:
            self._places[index] = native_hw, place, len(logits)
            for tensor in logits:
                np.save(self._file, tensor.cpu().numpy(), allow_pickle=False)

    def get(self, index: int) -> tuple[Size, list[Tensor]] | None:
        if index not in self._places:
            return None
        native_hw, place, count = self._places[index]
        self._file.seek(place)
        arrays = [np.load(self._file, allow_pickle=False) for _ in range(count)]
        return native_hw, [torch.from_numpy(array).to(device()) for array in arrays]
