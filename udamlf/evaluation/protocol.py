"""The resolution, interpolation, scales and flip that belong to every score."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Size = tuple[int, int]


class EvalProtocol(BaseModel):
    """How a score is computed (adversarial-warmup.md 7, advent.md 6, cbst.md 7)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_hw: Size | None = Field(default=None, description="network input at scale 1; null = the image's own size")
    scales: tuple[float | Size, ...] = Field(
        default=(1.0,), min_length=1, description="test sizes: factors of size_hw, or explicit (height, width)"
    )
    flip: bool = Field(default=False, description="average with the prediction of the mirrored image")
    interpolation: Literal["tensor", "bilinear", "area", "bicubic", "lanczos"] = Field(
        default="tensor",
        description="how the image is resized: bilinear on the normalised tensor, or a rule of data/resize.py",
    )
    align_corners: bool = Field(
        default=True,
        description="of the bilinear resizing of input tensor and probabilities; logits follow the network",
    )
    output_hw: Size | Literal["native"] | None = Field(
        default=None, description="labelling only: size of the label maps; null = size_hw, native = the image's own"
    )
    average: Literal["probabilities", "network", "output", "logits", "cbst"] = Field(
        default="probabilities",
        description="what is averaged at the output's size: softmax taken at the input's size, at the network's own "
        "(ProDA) or at the output's (CRST), the logits themselves, or softmax of the padded image after CBST's three "
        "resamplings",
    )

    def label_hw(self, native_hw: Size) -> Size:
        """Size of the label map of an image of ``native_hw``."""
        given = self.output_hw or self.size_hw or native_hw
        return native_hw if given == "native" else given

    def sizes(self, native_hw: Size) -> list[Size]:
        """Network input sizes for an image of ``native_hw``."""
        height, width = self.size_hw or native_hw
        return [s if isinstance(s, tuple) else (round(height * s), round(width * s)) for s in self.scales]
