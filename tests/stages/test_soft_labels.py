"""What the selector ``soft`` publishes, on real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.in_process import InProcess, small
from udamlf.config.parts import Part
from udamlf.data.pseudo_labels import PseudoLabels, decode_soft_label, encode_soft_label
from udamlf.data.splits import ScenarioData
from udamlf.evaluation.predict import evaluating
from udamlf.models import checkpoint
from udamlf.runs.plan import data_root
from udamlf.selection.base import build


def test_the_published_soft_labels_are_the_network_s_own(chains: InProcess, tiny_world: Path) -> None:
    """On real files, with a protocol that mirrors and enlarges: the archive holds softmax at the network's stride of
    the unmirrored image, and the prototypes of exactly these outputs."""
    config = small(
        "proda",
        tiny_world,
        "method.round.1.labelling={flip: true}",
        "method.round.1.reestimate_bn=[]",
        rounds=1,
    )
    results = chains.run(config, evaluate=False)
    labels = PseudoLabels(results["pseudo_label 1"].path / "pseudo_labels", config.space)
    assert labels.manifest["protocol"]["flip"] is True
    model = checkpoint.load(results["warmup"].path / "checkpoint", config.space)
    data = ScenarioData(config, data_root(config))
    selector = build(Part(name="soft"), config.space, 1)
    for index, sample in enumerate(data.samples("target_train")):
        image = data.frames("target_train", with_labels=False).image(index)
        with evaluating(model):
            output = model(model.normalise(torch.from_numpy(image[None])))
        selector.observe_network(output, index)
        found = decode_soft_label(labels.soft(sample.name), config.space.num_classes)
        expected = decode_soft_label(encode_soft_label(output.logits[0].softmax(0)), config.space.num_classes)
        torch.testing.assert_close(found, expected, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(
        labels.extras["prototypes"], selector.publish().arrays["prototypes"], rtol=1e-4, atol=1e-4
    )
