"""Every array of the golden files on HRDA: boxes, fusion, windows, parameter groups, an iteration of MIC on it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.parity.conftest import Golden
from tests.parity.proda_arrays import Arrays, close, every_array
from udamlf.config.budget import BatchSize, EvalProtocol, OptimiserConfig, Training
from udamlf.config.labels import CITYSCAPES_19, IGNORE
from udamlf.data.mixing import mix
from udamlf.data.sample import Domain
from udamlf.evaluation import predict
from udamlf.evaluation.predict import scores
from udamlf.losses import mixed_cross_entropy
from udamlf.methods.mic import Objective as MicObjective
from udamlf.methods.mic import block_mask
from udamlf.models import hrda
from udamlf.models.base import Output, SegmentationModel, build
from udamlf.models.fusion_head import FusionHead
from udamlf.models.hrda import SCALE, box_choices, detail_box, fuse, upsampled
from udamlf.models.mit import MixTransformer
from udamlf.models.weight_files import load_into
from udamlf.models.windows import Box, crop_of, mean_of_windows, sliding_boxes
from udamlf.training.objective import Batch, Context

every = partial(every_array, method="mic")


def box(values: np.ndarray) -> Box:
    top, bottom, left, right = values.tolist()
    return top, bottom, left, right


def test_boxes(golden: Golden) -> None:
    """04: where the detail crop lies, at which resolutions, and the windows of the teacher's and the test's pass."""
    with every(golden, "04_hrda_boxes") as (a, h):
        rows = zip(*(a[n] for n in ("image_hw", "crop_hw", "divisible", "draw_high", "draw", "box")), strict=True)
        for number, (image, crop, divisible, high, draw, expected) in enumerate(rows):
            if high.any():
                assert box_choices(image, crop, int(divisible)) == tuple(high.tolist())
            found = detail_box(crop.tolist(), np.maximum(draw, 0).tolist(), int(divisible))
            assert found == box(expected)
            for cells in (4, 8, 16):
                assert [int(edge / cells) for edge in found] == a[f"box_div{cells}"][number].tolist()
        for number, slide in enumerate(h["slides"]):
            side, hw = slide["crop"], (slide["height"], slide["width"])
            stride = side // 2 if slide["overlapping"] else side
            boxes = sliding_boxes(hw, (side, side), (stride, stride))
            np.testing.assert_array_equal(boxes, a[f"slide_boxes_{number}"])
            first = [top * hw[1] + left for top, _, left, _ in boxes]
            np.testing.assert_array_equal(first, a[f"slide_first_pixel_{number}"])


def test_fusion(golden: Golden) -> None:
    """05: fused logits, losses, gradients, at strides 4 and 8, with one attention for all classes, of a whole crop."""
    with every(golden, "05_hrda_fusion") as (a, h):
        for n, case in enumerate(h["cases"]):
            assert case["context_scale"] == SCALE
            context, attention, detail = (a.tensor(f"{m}_logits_{n}").float() for m in ("lr", "att", "hr"))
            assert context.shape[:2] == (case["batch"], case["num_classes"])
            assert (attention.shape[1] > 1) == case["classwise"]
            inputs = [m.requires_grad_() for m in (context, attention, detail)]
            whole, stride = case["detail"] == case["crop"], case["output_stride"]
            place, size = box(a[f"box_{n}"]), [case["crop"] // stride] * 2
            fused = fuse(context, attention, detail, size, None if whole else place, stride)
            close(fused.logits, a[f"fused_{n}"], atol=1e-5)
            close(fused.context, a[f"lr_scaled_{n}"], atol=1e-5)
            labels, weights = a.tensor(f"label_{n}").long(), a.tensor(f"weight_{n}").float()

            def loss(maps: Tensor, ids: Tensor, of: Tensor) -> Tensor:
                return mixed_cross_entropy(upsampled(maps, ids.shape[1:]), ids, of)

            part = (labels, weights) if whole else (crop_of(labels, place), crop_of(weights, place))
            shares = case["hr_loss_weight"], case["lr_loss_weight"]
            terms = {"loss_seg": (1 - sum(shares)) * loss(fused.logits, labels, weights)}
            terms["hr_loss_seg"] = shares[0] * loss(detail, *part)
            if shares[1]:
                terms["lr_loss_seg"] = shares[1] * loss(fused.context, labels, weights)
            for name, value in terms.items():
                close(value, a[f"{name}_{n}"], rtol=1e-5)
            total = torch.stack(list(terms.values())).sum()
            for gradient, name in zip(torch.autograd.grad(total, inputs), ("lr", "att", "hr"), strict=True):
                close(gradient, a[f"{name}_grad_{n}"], atol=1e-7)


class Recorded(SegmentationModel):
    """Gives the recorded logits of each window, in turn, by the window's first pixel."""

    def __init__(self, logits: Tensor, first_pixels: list[int]) -> None:
        super().__init__(logits.shape[1])
        self.logits, self.first_pixels, self.anchor = logits, first_pixels, torch.nn.Parameter(torch.zeros(1))

    def normalise(self, images: Tensor) -> Tensor:
        """The vectors hold images as the network sees them."""
        return images.permute(0, 3, 1, 2)

    def forward(self, images: Tensor) -> Output:
        number = self.first_pixels.index(int(images[0, 0, 0, 0]))
        return Output(self.logits[number : number + 1])


def test_windows(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """06: the teacher's detail from its windows and the fusion without a box; the test's windows over an image."""
    with every(golden, "06_hrda_slide") as (a, h):
        side, detail, stride = h["crop"], h["detail"], h["output_stride"]
        boxes = sliding_boxes((side, side), (detail, detail), (detail // 2, detail // 2))
        np.testing.assert_array_equal(boxes, a["boxes"])
        context, attention = (a.tensor(f"{name}_logits").float() for name in ("lr", "att"))
        assert context.shape[1] == h["num_classes"] and h["context_scale"] == SCALE
        windows, size = a.tensor("crop_logits").float().split(len(context)), [side // stride] * 2
        merged = mean_of_windows(windows, boxes, size, stride)
        close(merged, a["merged"], atol=1e-5)
        close(fuse(context, attention, merged, size, None).logits, a["fused"], atol=1e-5)

        height, width = h["outer_hw"]
        image = np.tile(np.arange(height * width, dtype=np.float32).reshape(1, height, width, 1), 3)
        model = Recorded(a.tensor("window_logits").float(), a["window_first_pixel"].tolist())
        monkeypatch.setattr(predict, "sliding_boxes", lambda hw, size, _: sliding_boxes(hw, size, (h["stride"],) * 2))
        protocol = EvalProtocol(average="logits", align_corners=False, window=(h["window"], h["window"]))
        close(scores(model, image, protocol, tuple(h["original_hw"])), a["outer_logits"], atol=1e-5)


def test_parameter_groups(golden: Golden) -> None:
    """10: rate and decay of every parameter, by its released name."""
    h = golden.hparams("mic", "10_param_groups")
    model = build("hrda", 19, variant="tiny", channels=8)
    names = {id(p): name for name, p in model.named_parameters()}
    scales = {
        names[id(p)]: (group["lr_scale"], group["decay_scale"])
        for group in model.parameter_groups()
        for p in group["params"]
    }
    assert h["rules"] == {"head": {"lr_mult": 10}, "pos_block": {"decay_mult": 0}, "norm": {"decay_mult": 0}}
    for name, rate, decay in golden.json("mic", "10_param_groups"):
        assert scales[ours(name)] == pytest.approx((rate, decay)), name


def ours(name: str) -> str:
    """Our name of a released parameter."""
    return name.replace("decode_head.head.", "head.").replace("decode_head.scale_attention.", "scale_attention.")


class Iteration:
    """The networks and the batch of 12, for the objective ``mic`` itself."""

    def __init__(self, a: Arrays, h: dict[str, Any]) -> None:
        self.a, self.h = a, h
        self.student, teacher = self.network("student"), self.network("teacher")
        offsets = a["box_draws"].tolist()
        boxes = iter([detail_box((h["detail"],) * 2, draws, h["divisible"]) for draws in offsets])
        self.student.draw_box = lambda hw: next(boxes)  # type: ignore[method-assign]
        batch = BatchSize(source=2, target=2)
        budget = Training(steps=4, batch=batch, optimiser=OptimiserConfig(name="adamw", lr=6e-5))
        context = Context(self.student, CITYSCAPES_19, budget, 1, 0, torch.device("cpu"))
        context.initial = lambda: self.network("frozen")
        params = MicObjective.Params(
            decay=h["alpha_max"], threshold=h["threshold"], margin=(0, 0, 0, 0), joint_batch=False, all_pixels=True,
            feature_distance=h["fd_weight"], mask_block=h["mask_block"], mask_ratio=h["mask_ratio"],
            mask_weight=h["mask_lambda"],
        )  # fmt: skip
        self.objective = MicObjective(params, context)
        self.objective.things = torch.tensor(h["thing_classes"])
        self.objective.teacher.load_state_dict(teacher.state_dict())

    def network(self, prefix: str) -> hrda.Network:
        h, arrays = self.h, self.a
        params = hrda.HrdaParams(variant="tiny", channels=8, detail=(h["detail"],) * 2)
        network = hrda.Network(h["num_classes"], params)
        network.backbone = MixTransformer(h["embed_dims"], h["depths"], h["num_heads"], h["sr_ratios"], drop=0.0)
        network.head = FusionHead(h["embed_dims"], h["channels"], h["num_classes"], context=True)
        network.scale_attention = FusionHead(h["embed_dims"], h["attention_channels"], h["num_classes"], context=False)
        names = [n for n in arrays if n.startswith(f"{prefix}.") and not n.endswith("_after")]
        state = {ours(n.removeprefix(f"{prefix}.")): arrays.tensor(n) for n in names}
        state = {n: value.float() if value.is_floating_point() else value for n, value in state.items()}
        load_into(network, {**network.state_dict(), **state} if prefix == "frozen" else state, prefix)
        for module in network.modules():
            if isinstance(module, nn.Dropout2d):
                module.p = 0.0
        return network.train()

    def batch(self) -> Batch:
        a, h = self.a, self.h
        source, target = (a.tensor(f"{name}_image").float() for name in ("source", "target"))
        labels, present = a.tensor("source_label").long(), np.unique(a["source_label"])
        pairs = zip(labels, a["class_choice"], strict=True)
        pasted = torch.stack([torch.isin(label, torch.from_numpy(present[chosen]).long()) for label, chosen in pairs])
        visible = torch.from_numpy(block_mask(a["mask_draws"], tuple(target.shape), h["mask_ratio"]))[:, 0]
        maps = {"visible": visible.long(), "trusted": a.tensor("valid_mask")[:, 0].long()}
        blank = torch.full_like(labels, IGNORE)
        return Batch(
            h["iteration"], 0, 0,
            Domain(source, labels, {"pasted": pasted.long()}, {}, [0, 1]),
            Domain(target, blank, maps, {"augmented": target}, [0, 1]),
        )  # fmt: skip


def test_iteration(golden: Golden) -> None:
    """12: the teacher's update and labels, the mixed and the masked batch, every loss, gradient and statistic."""
    with every(golden, "12_mic_iteration") as (a, h):
        run = Iteration(a, h)
        objective, batch = run.objective, run.batch()
        objective.after_step(h["iteration"] - 1)
        name = next(n for n in a if n.startswith("teacher_after."))
        close(dict(objective.teacher.named_parameters())[ours(name.removeprefix("teacher_after."))], a[name], atol=1e-6)

        seen: dict[str, Tensor] = {}
        objective.teacher.register_forward_hook(lambda module, inputs, output: seen.update(teacher=output.logits))
        assert batch.target is not None
        online = objective.teach(batch.target)
        large = objective.model.upsample(seen["teacher"], batch.target.images.shape[-2:])
        close(large[..., ::4, ::4], a["teacher_logits_sub"], atol=1e-3)
        assert (online.labels.numpy() == a["masked_label"]).mean() >= 0.999
        close(online.weights, a["masked_weight"].astype(np.float32), atol=1e-3)

        named: dict[str, Tensor] = {}
        images = []
        for pixels, losses in objective.terms(batch, online):
            images.append(pixels)
            values = losses(objective.model(pixels))
            torch.stack([objective.weights.get(n, 1.0) * value for n, value in values.items()]).sum().backward()
            named |= {n: objective.weights.get(n, 1.0) * value.detach() for n, value in values.items()}
        np.testing.assert_array_equal(images[1], a["mixed_image"].astype(np.float32))
        np.testing.assert_array_equal(images[2], a["masked_image"].astype(np.float32))
        for mine, theirs in (("source", ""), ("mixed", "mix_"), ("masked", "masked_")):
            logged = sum(float(a[f"log_{theirs}decode_{part}loss_seg"]) for part in ("", "hr_"))
            close(named[f"{mine}_ce"], logged, rtol=1e-4)
        close(named["source_feature_distance"], a["log_src_loss_imnet_feat_dist"], rtol=1e-4)

        parameters = dict(run.student.named_parameters())
        for key in (n for n in a if n.startswith("grad.")):
            expected, gradient = a[key].astype(np.float32), parameters[ours(key.removeprefix("grad."))].grad
            assert gradient is not None
            close(gradient, expected, atol=5e-3 * np.abs(expected).max() + 1e-6)
        missing = {ours(name) for name in a["missing_grads"].tolist() if name}
        assert {n for n, p in parameters.items() if p.grad is None} == missing - {"none"}
        for prefix, network in (("student.", run.student), ("teacher.", objective.teacher)):
            state = network.state_dict()
            for key in (n for n in a if n.startswith(prefix) and n.endswith("_after")):
                close(state[ours(key.removeprefix(prefix).removesuffix("_after"))], a[key], atol=2e-3)
        source, pasted = batch.source, None if batch.source is None else batch.source.maps["pasted"].bool()
        assert source is not None and pasted is not None
        mixed = mix(pasted, source.labels, online.labels).numpy()
        assert (mixed == a["mixed_label"]).mean() >= 0.999
        weights = mix(pasted, torch.ones_like(online.weights), online.weights)
        close(weights, a["mixed_weight"].astype(np.float32), atol=1e-3)
