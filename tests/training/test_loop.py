"""The loop: resumed trainings are bit-identical, gradients stay with their owner, a broken loss leaves a good state."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests import toy
from udamlf.common.errors import UserError
from udamlf.config.budget import BatchSize, OptimiserConfig
from udamlf.methods import supervised
from udamlf.training import loop as loop_module
from udamlf.training.loop import Trainer, micro_batches
from udamlf.training.objective import OBJECTIVES, Batch, Losses


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    different = [name for name in one if not torch.equal(one[name], other[name])]
    assert not different


def run_until(loop: Trainer, stop_after: int) -> None:
    """Train; a stop is asked for once ``stop_after`` steps are done."""
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        loop.run(on_step=done.append, should_stop=lambda: done[-1] == stop_after)
    assert done[-1] == stop_after


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        ({"model": {"mine": torch.zeros(3)}}, r"\{'model': \{'mine': tensor\(\[0"),
        ({"model": {"mine": 0.5}}, r"\{'model': \{'mine': 0\.5"),
        ({"model": torch.zeros(())}, r"\{'model': tensor\(0"),
        ({"student": {"mine": torch.zeros(())}}, r"\{'student'"),
        (torch.zeros(()), r"tensor\(0"),
        (None, "None"),
        (iter([torch.zeros(())]), r"tensor\(0"),
    ],
)
def test_losses_that_are_no_scalars_by_name_are_refused(losses: Losses, found: str) -> None:
    """Of a method of one's own, at its first step, with the module that gives them."""
    objective = toy.objective("supervised")
    objective.losses = lambda batch: losses  # type: ignore[method-assign]
    with pytest.raises(UserError, match=rf"udamlf\.methods\.supervised are {found}[\s\S]*loss\.mean"):
        toy.trainer(objective).run()


# --- resume ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_a_resumed_training_is_bit_identical(name: str, tmp_path: Path) -> None:
    """Stopped after 1, 3 and 5 of 6 steps, each time continued in new objects: every weight, buffer, teacher,
    discriminator and optimiser state equals the undisturbed training's, and what is logged at the end of the window in
    which it was stopped, the objective's own counts too; but for the speed."""
    logged: list[dict[str, float]] = []

    def log(metrics: dict[str, float], step: int) -> None:
        logged.append({name: value for name, value in metrics.items() if name != "train/images_per_s"})

    whole = toy.trainer(toy.objective(name))
    whole.run(log)
    for stop_after in (1, 3, 5):
        run_until(toy.trainer(toy.objective(name), tmp_path / "state.pt", workers=1), stop_after)
    resumed = toy.trainer(toy.objective(name), tmp_path / "state.pt")
    steps: list[int] = []
    resumed.run(log, on_step=steps.append)
    assert steps == [6]
    assert_same(toy.tensors(whole), toy.tensors(resumed))
    assert logged[0] == logged[1] and len(logged) == 2 and len(logged[0]) > 1


def test_dropout_is_a_function_of_the_step(tmp_path: Path) -> None:
    """A network with dropout resumes bit-identically, whatever was drawn from torch's generator in between."""

    def loop(path: Path | None) -> Trainer:
        model = toy.network()
        model.register_forward_hook(lambda m, _, out: out._replace(logits=F.dropout(out.logits, training=m.training)))
        return toy.trainer(toy.objective("supervised", model=model), path)

    whole = loop(None)
    whole.run()
    run_until(loop(tmp_path / "state.pt"), 2)
    torch.rand(17)
    resumed = loop(tmp_path / "state.pt")
    resumed.run()
    assert_same(toy.tensors(whole), toy.tensors(resumed))


def test_a_finished_training_does_nothing_more(tmp_path: Path) -> None:
    """A stop that is asked for after the last step keeps the state; running again takes no step."""
    first = toy.trainer(toy.objective("supervised"), tmp_path / "state.pt")
    run_until(first, 6)
    again, steps = toy.trainer(toy.objective("supervised"), tmp_path / "state.pt"), []
    again.run(on_step=steps.append)
    assert steps == []
    assert_same(toy.tensors(first), toy.tensors(again))


def test_a_stop_is_asked_for_once_a_step(tmp_path: Path) -> None:
    """A signal between two questions of one step would end the training without saving it."""
    answers = iter([False, False, True])
    loop = toy.trainer(toy.objective("supervised"), tmp_path / "state.pt")
    with pytest.raises(KeyboardInterrupt):
        loop.run(should_stop=lambda: next(answers))
    again = toy.trainer(toy.objective("supervised"), tmp_path / "state.pt")
    again.state.load(tmp_path / "state.pt")
    assert again.state.step == 3


def test_the_state_is_saved_on_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the interval at 0 the file follows every step, so that a SIGKILL costs at most one interval."""
    monkeypatch.setattr(loop_module, "SAVE_EVERY_S", 0.0)
    path = tmp_path / "state.pt"
    loop = toy.trainer(toy.objective("supervised"), path)
    seen = []

    def on_step(done: int) -> None:
        reader = toy.trainer(toy.objective("supervised"), path)
        seen.append((done, reader.state.load(path) and reader.state.step))

    loop.run(on_step=on_step)
    assert seen[1:] == [(done, done - 1) for done in range(2, 7)]


# --- gradients -------------------------------------------------------------------------------------------------------


def test_the_discriminator_learns_from_its_own_loss_only() -> None:
    """A hundred times the generator's weight leaves the discriminators' step bit-identical and moves the network."""
    steps = []
    for factor in (1, 100):
        params = {"width": 4, "weight": 0.01 * factor, "aux_weight": 0.002 * factor}
        loop = toy.trainer(toy.objective("adversarial", params, toy.training(steps=1)))
        loop.run()
        steps.append(toy.tensors(loop))
    changed = {name.split("/")[0] for name in steps[0] if not torch.equal(steps[0][name], steps[1][name])}
    assert changed == {"model"}


def test_the_network_learns_from_its_own_losses_only() -> None:
    """One step of plain SGD is lr times the gradient of the network's weighted losses, the discriminator's not among
    them."""
    budget = toy.training(steps=1, optimiser=OptimiserConfig(name="sgd", lr=0.1, momentum=0.0))
    loop = toy.trainer(toy.objective("adversarial", {"width": 4, "weight": 5.0}, budget))
    loop.model.train()
    named = toy.losses(loop.objective, toy.batch(loop.objective))
    weights = loop.objective.weights
    total = torch.stack([weights.get(name, 1.0) * value for name, value in named["model"].items()]).sum()
    parameters = dict(loop.model.named_parameters())
    gradients = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    expected = {
        name: value.detach() - 0.1 * gradient
        for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
        if gradient is not None
    }
    assert len(expected) > 20
    loop.run()
    for name, value in expected.items():
        torch.testing.assert_close(parameters[name].detach(), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["supervised", "self_training"])
def test_accumulated_micro_batches_are_the_whole_batch(name: str) -> None:
    """Where images do not influence each other (stored BatchNorm statistics) and every micro-batch holds as many
    labelled pixels, 1, 2 and 4 micro-batches take the same steps up to rounding. With live BatchNorm they cannot."""
    weights = []
    for micro_batch, count in ((None, 1), (2, 2), (1, 4)):
        budget = toy.training(
            steps=3,
            batch=BatchSize(source=4, target=4),
            optimiser=OptimiserConfig(name="sgd", lr=0.05),
        )
        model = toy.network()
        model.stored_statistics = True
        objective = toy.objective(name, budget=budget, model=model)
        loop = Trainer(objective, toy.domains(toy.frames("target")), "toy", micro_batch=micro_batch, workers=0)
        assert loop.micro_batches == count
        loop.run()
        weights.append(toy.tensors(loop))
    for other in weights[1:]:
        for key, value in weights[0].items():
            torch.testing.assert_close(other[key], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("source", "target", "micro_batch", "count"),
    [(0, 6, 4, 2), (0, 6, 1, 6), (8, 0, 3, 4), (4, 6, 2, 2), (1, 1, 1, 1), (4, 4, 8, 1), (4, 4, None, 1)],
)
def test_a_batch_is_cut_into_equal_pieces(source: int, target: int, micro_batch: int | None, count: int) -> None:
    """No more than ``micro_batch`` images of a domain, as far as equal pieces allow (of 4 and 6: two)."""
    assert micro_batches(BatchSize(source=source, target=target), micro_batch) == count


def test_each_step_has_the_schedule_s_learning_rate() -> None:
    """The poly rate of step k, in the optimiser when step k is taken; the last one is reported."""
    budget = toy.training(schedule={"kind": "poly", "power": 1.0})
    loop = toy.trainer(toy.objective("supervised", budget=budget))
    rates: list[float] = []
    reported: list[dict[str, float]] = []
    loop.run(
        on_metrics=lambda metrics, step: reported.append(metrics),
        on_step=lambda done: rates.append(loop.optimisers["model"].param_groups[0]["lr"]),
    )
    assert rates == pytest.approx([toy.OPTIMISER.lr * (1 - k / 6) for k in range(6)])
    assert reported[-1]["train/lr"] == pytest.approx(rates[-1])
    assert 0 < reported[-1]["train/source_ce"] < 10


# --- what is not finite ----------------------------------------------------------------------------------------------


class BreaksAt(supervised.Objective):
    """Supervised; from step 3 on the loss, or only its gradient, is not a number."""

    only_gradient = False

    def losses(self, batch: Batch) -> Losses:
        value = super().losses(batch)["model"]["source_ce"]
        if batch.step >= 3:
            value = value + (value * 0).sqrt() if self.only_gradient else value * float("nan")
        return {"model": {"source_ce": value}}


class BreaksInGradient(BreaksAt):
    """The loss stays finite."""

    only_gradient = True


class Hungry(supervised.Objective):
    """Supervised; from step 3 on it asks for a petabyte."""

    def losses(self, batch: Batch) -> Losses:
        value = super().losses(batch)
        if batch.step >= 3:
            torch.empty(1 << 50, dtype=torch.uint8)
        return value


class HungryLibrary(supervised.Objective):
    """Supervised; in step 3 cuBLAS finds no memory, which is no error of torch's allocator."""

    def losses(self, batch: Batch) -> Losses:
        if batch.step == 3:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
        return super().losses(batch)


BROKEN = {
    BreaksAt: "not finite at step 3",
    BreaksInGradient: "not finite at step 3",
    Hungry: r"out of memory at step 3, with 2 images[\s\S]*profile\.micro_batch=1",
    HungryLibrary: "out of memory at step 3",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_step_is_named_and_the_last_good_state_is_kept(
    kind: type[supervised.Objective], tmp_path: Path
) -> None:
    """The error names step 3, and where memory was short the setting that takes half as much; the saved state is,
    BatchNorm statistics included, that of a sound training after three steps."""
    sound = toy.trainer(toy.objective("supervised"), tmp_path / "sound.pt")
    run_until(sound, 3)

    healthy = toy.objective("supervised")
    broken = toy.trainer(kind(healthy.params, healthy.context), tmp_path / "broken.pt")
    with pytest.raises(UserError, match=BROKEN[kind]):
        broken.run()

    resumed = toy.trainer(toy.objective("supervised"), tmp_path / "broken.pt")
    assert resumed.state.load(tmp_path / "broken.pt")
    assert resumed.state.step == 3
    assert_same(toy.tensors(sound), toy.tensors(resumed))


def test_the_message_says_which_loss_and_which_images() -> None:
    healthy = toy.objective("supervised")
    with pytest.raises(UserError, match=r"'source_ce': nan.*'source': \[\d+, \d+\]"):
        toy.trainer(BreaksAt(healthy.params, healthy.context)).run()
