"""Cross-entropy on labelled images: the source-only warm-up, the `control` baseline and the `oracle`."""

from udamlf.training.objective import BaseObjective, Batch, Losses


class Objective(BaseObjective):
    def losses(self, batch: Batch) -> Losses:
        assert batch.source is not None
        return {"model": self.on_source(batch.source, self.model(batch.source.images))}
