"""In the place of the warm-up: the network of a file that another project published, as a training's checkpoint."""

from collections.abc import Iterable
from pathlib import Path

from udamlf.common.files import digest_file, write_json
from udamlf.config.schema import Config
from udamlf.models import checkpoint
from udamlf.models.base import NETWORKS
from udamlf.models.released import TABLE, read
from udamlf.stages.stage import BaseStage, Declaration, Job


class Stage(BaseStage):
    """Publishes ``checkpoint/`` and ``import.json``: what came of the file's tensors. It reads no data."""

    once = True
    needs_inputs = False

    def rounds(self, config: Config) -> Iterable[int]:
        return (0,) if config.start else ()

    def declare(self, config: Config, round: int) -> Declaration:
        files_read = (TABLE, Path(str(config.start)), *map(Path, filter(None, [config.method.labeller])))
        files = [file for file in files_read if file.is_file()]
        return Declaration(inputs={}, reads={}, splits={}, parts=[(NETWORKS, config.backbone(0))], files=files)

    def run(self, job: Job) -> None:
        file, space = Path(str(job.config.start)), job.config.space
        released = read(file).for_space(space)
        report = {"file": file.name, "sha256": digest_file(file), **released.report()}
        weights = {"last": released.build().state_dict()}
        if labeller := job.config.method.labeller:
            weights["teacher"] = read(Path(labeller)).for_space(space).build().state_dict()
            report["labeller"] = {"file": Path(labeller).name, "sha256": digest_file(Path(labeller))}
        checkpoint.save(job.out / "checkpoint", weights, released.backbone, space)
        write_json(job.out / "import.json", report)
        job.log.set_tags({"project": report["project"], "sha256": report["sha256"]})
