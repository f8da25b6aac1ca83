"""Cross-entropy on labelled images: the source-only warm-up, the `control` baseline and the `oracle`."""

from udamlf.losses import cross_entropy
from udamlf.training.objective import BaseObjective, Batch, Losses


class Objective(BaseObjective):
    domains = ("source",)

    def losses(self, batch: Batch) -> Losses:
        assert batch.source is not None
        logits, labels = self.at_loss_resolution(self.model(batch.source.images).logits, batch.source.labels)
        return {"model": {"source_ce": cross_entropy(logits, labels, self.context.class_weights)}}
