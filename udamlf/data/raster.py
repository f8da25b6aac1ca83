"""Image files: strict reading (a truncated, damaged or other file is a UserError, not a grey half) and fast writing."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageFile

from udamlf.common.errors import UserError
from udamlf.common.files import atomic_file

IMAGE_MODES, AN_IMAGE = ("RGB", "RGBA", "L", "P"), "an 8-bit RGB image"
DEEP_MODES = ("RGB", "RGBA")  # Pillow's names of 16-bit colours
_PNG_END = b"IEND\xaeB`\x82"
_ENDS = {"PNG": _PNG_END, "JPEG": b"\xff\xd9"}  # neither occurs in compressed pixels
_TAIL = 4096  # bytes at a file's end in which it is looked for: some cameras append notes of their own
_CODE = np.array([256 * 256, 256, 1], np.int32)  # a colour as one number
# What Pillow raises for a damaged file; a flipped bit in the header also makes a length or a size absurd.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


@contextmanager
def _opened(
    path: Path | BytesIO, modes: tuple[str, ...] = (), expected: str = "", bits: int = 8
) -> Iterator[ImageFile.ImageFile]:
    """The file, in one of Pillow's ``modes`` (none = any), which do not tell colours of 16 ``bits`` from those of 8.
    Damage, and a header of more than 180 million pixels, is a UserError that names the file."""
    try:
        if isinstance(path, Path) and path.exists() and not path.is_file():  # a pipe would be waited for
            raise UserError(f"{path} is no regular file", "an image file")
        with Image.open(path) as image:
            deep = ";16" in str(image.tile)
            if image.format == "JPEG" and expected not in ("", AN_IMAGE):
                raise UserError(f"{path} is a JPEG file, which keeps no ids", expected)
            if modes and (image.mode not in modes or deep != (bits == 16)):
                raise UserError(f"{path} has pixel format {image.mode!r}{' of 16 bits' if deep else ''}", expected)
            yield image
    except _DAMAGE as error:
        if isinstance(path, BytesIO):
            message = f"cannot decode the image ({path.getbuffer().nbytes} bytes)"
            raise UserError(message, "a whole image file") from error
        size = path.stat().st_size if path.is_file() else 0
        message = f"cannot decode {path} ({size} bytes): {error}" if size else f"{path} is missing or empty"
        raise UserError(message, "a whole image file", "download the file again") from error


def image_size_hw(path: Path) -> tuple[int, int]:
    with _opened(path) as image:
        return image.height, image.width


def check_header(
    path: Path, modes: tuple[str, ...] = IMAGE_MODES, expected: str = AN_IMAGE, bits: int = 8
) -> tuple[int, int]:
    """Height and width of a file whose header and last bytes are those of a whole one. UserError: they are not."""
    with _opened(path, modes, expected, bits) as image:
        with open(path, "rb") as handle:
            handle.seek(max(0, path.stat().st_size - _TAIL))
            if _ENDS.get(str(image.format), b"") not in handle.read():
                raise ValueError("the file is truncated")
        return image.height, image.width


def read_rgb(path: Path | BytesIO) -> np.ndarray:
    """uint8 RGB [H, W, 3] of any 8-bit image file, or of the content of one."""
    with _opened(path, IMAGE_MODES, AN_IMAGE) as image:
        _check_whole(path, image)
        return np.asarray(image.convert("RGB"))


def read_ids(path: Path | BytesIO, modes: tuple[str, ...], expected: str, bits: int = 8) -> np.ndarray:
    """uint8, or uint16 of a PNG of 16 ``bits``, [H, W]: the first channel, of a palette the indices."""
    with _opened(path, modes, expected, bits) as image:
        data = _check_whole(path, image)
        if bits == 16:  # of which Pillow keeps the upper half alone
            if not data or (pixels := cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)) is None:
                raise ValueError("not a PNG file")
            return np.ascontiguousarray(pixels[:, :, 2])  # OpenCV's channel order is BGR
        return np.ascontiguousarray(np.atleast_3d(np.asarray(image))[:, :, 0])


def _check_whole(path: Path | BytesIO, image: ImageFile.ImageFile) -> memoryview:
    """A PNG file's content, of any other file nothing. ValueError: it is cut off, or one of its checksums, at which
    Pillow does not look, does not hold."""
    if image.format != "PNG":
        return memoryview(b"")
    data, at, kind = memoryview(path.getvalue() if isinstance(path, BytesIO) else path.read_bytes()), 8, b""
    while kind != b"IEND":
        length = int.from_bytes(data[at : at + 4])
        kind, end = bytes(data[at + 4 : at + 8]), at + 8 + length
        if len(data) < end + 4 or zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4]):
            raise ValueError("not a whole PNG file")
        at = end + 4
    return data


def write_pixels(path: Path, pixels: np.ndarray) -> None:
    """Write BGR[A], 8 or 16 bits, by the suffix: JPEG of quality 95, PNG of zlib level 1 (3x faster, 10 % larger).
    UserError: the disk is full, or cannot be written; nothing is left then."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _write(path, cv2.imencode(path.suffix, pixels, options)[1].tobytes())


def _write_palette(path: Path, ids: np.ndarray) -> None:
    """An 8-bit palette PNG of indices uint8 [H, W], in any colours."""
    image, encoded = Image.fromarray(ids), BytesIO()
    image.putpalette(bytes(range(256)) * 3)
    image.save(encoded, "png", compress_level=1)
    _write(path, encoded.getvalue())


def _write(path: Path, content: bytes) -> None:
    with atomic_file(path, durable=False) as temporary:
        temporary.write_bytes(content)


class LabelFormat(NamedTuple):
    """How raw ids lie in a label file: in its first channel, or, with ``colours``, as the colours of ids 0, 1, ...; any
    other id is then written black, any other colour refused."""

    modes: tuple[str, ...]  # Pillow's, of the header
    expected: str  # the same in words
    write: Callable[[Path, np.ndarray], None] = write_pixels  # (path, uint8 [H, W])
    bits: int = 8
    colours: tuple[tuple[int, int, int], ...] = ()  # RGB

    def read(self, path: Path) -> np.ndarray:
        """Raw ids uint8 or uint16 [H, W]. UserError: the file is damaged or of another format."""
        if not self.colours:
            return read_ids(path, self.modes, self.expected, self.bits)
        with _opened(path, self.modes, self.expected) as image:
            _check_whole(path, image)
            pixels = np.asarray(image.convert("RGB"))
        codes, used = np.array(self.colours, np.int32) @ _CODE, pixels @ _CODE
        order = np.argsort(codes)
        ids = order[np.searchsorted(codes, used, sorter=order).clip(max=len(codes) - 1)].astype(np.uint8)
        odd = pixels[codes[ids] != used]
        if odd.size:
            problem = f"label {path} holds the colour {tuple(odd[0].tolist())}"
            raise UserError(problem, "the colour of a class; that of none has a name in `colours`, too")
        return ids


def colour_format(colours: Sequence[tuple[int, int, int]]) -> LabelFormat:
    table = np.zeros((256, 3), np.uint8)
    table[: len(colours)] = colours
    expected = "an 8-bit picture in the colours of the classes; a file of ids is described by `ids` instead"
    return LabelFormat(
        ("RGB", "RGBA", "P"), expected, lambda path, ids: write_pixels(path, table[ids][:, :, ::-1]), 8, tuple(colours)
    )


FORMATS = {
    "folder": LabelFormat(("L", "P"), "an 8-bit single-channel or palette PNG of `ids`; a picture has `colours`"),
    "grey": LabelFormat(("L",), "an 8-bit single-channel PNG of raw ids"),
    "palette": LabelFormat(("P", "L"), "an 8-bit palette PNG whose indices are label ids", _write_palette),
    "4-channel": LabelFormat(
        ("RGBA", "L"),
        "an 8-bit 4-channel PNG, the id in the first channel (anno/)",
        lambda path, ids: write_pixels(path, np.dstack([ids, ids, ids, np.full_like(ids, 255)])),
    ),
    "16-bit": LabelFormat(
        DEEP_MODES,
        "a 16-bit multi-channel PNG, the id in the first channel (GT/LABELS)",
        lambda path, ids: write_pixels(path, np.dstack([0 * ids, 0 * ids, ids]).astype(np.uint16)),
        bits=16,
    ),
}
"""By the name in ``configs/datasets.yaml``; "folder": of ids in a folder that a scenario describes."""
