"""What the selector ``soft`` publishes, on real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.in_process import InProcess, small
from udamlf.data.lists import ScenarioData
from udamlf.evaluation.prediction import evaluating
from udamlf.models import checkpoint
from udamlf.pseudo_labels import PseudoLabels
from udamlf.selection.base import build
from udamlf.selection.soft_labels import decode_soft_label


def test_the_published_soft_labels_are_the_network_s_own(chains: InProcess, tiny_world: Path) -> None:
    """On real files, with a protocol that mirrors and enlarges: the archive holds softmax at the network's stride of
    the unmirrored image, and the prototypes of exactly these outputs."""
    config = small(
        "proda",
        tiny_world,
        "method.round.1.selector.storage=full",
        "method.round.1.labelling={flip: true}",
        "method.round.1.reestimate_bn=[]",
        rounds=1,
    )
    results = chains.run(config, evaluate=False)
    labels = PseudoLabels(results["pseudo_label 1"].path / "pseudo_labels", config.scenario.label_space)
    assert labels.manifest["protocol"]["flip"] is True
    model = checkpoint.load(results["warmup"].path / "checkpoint", config.space)
    data = ScenarioData(config)
    selector = build("soft", {}, config.space, 1)
    for index, sample in enumerate(data.samples("target_train")):
        image = data.frames("target_train", with_labels=False).image(index)
        with evaluating(model):
            output = model(model.normalise(torch.from_numpy(image[None])))
        selector.observe_network(output, index)
        found = decode_soft_label(labels.soft(sample.name), config.space.num_classes)
        torch.testing.assert_close(found, output.logits[0].softmax(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(labels.extras["prototypes"], selector.extras()["prototypes"], rtol=1e-4, atol=1e-4)
