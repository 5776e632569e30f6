"""Values as QR pictures."""

from __future__ import annotations

import dataclasses
import io
from typing import Final

import qrcode
from qrcode.constants import ERROR_CORRECT_L
from qrcode.constants import ERROR_CORRECT_M
from qrcode.exceptions import DataOverflowError
from qrcode.image.base import BaseImage
from qrcode.image.pil import PilImage
from qrcode.image.svg import SvgPathFillImage

from cone.tokens.core.errors import ValueTooLongForQr

#: Characters that the largest code holds: digits with error correction L. (ISO/IEC 18004,
#: table 7.) What is longer is not even tried.
MOST_CHARACTERS: Final = 7_089

#: Bytes that the largest code holds with error correction L.
MOST_BYTES: Final = 2_953

MEDIA_TYPES: Final = {"png": "image/png", "svg": "image/svg+xml"}

#: The mask of codes that are made in great numbers: it leaves no large areas of one colour.
_MASK: Final = 2

_IMAGES: Final[dict[str, type[BaseImage]]] = {"png": PilImage, "svg": SvgPathFillImage}


def picture(value: str, media: str) -> bytes:
    """Return the QR picture of ``value``, dark on white with a quiet zone of 4 modules.

    Error correction is M, and L where the value needs it.

    :param media: ``png`` or ``svg``.
    :raises ValueTooLongForQr: no QR code holds the value.
    """
    stream = io.BytesIO()
    _code(value.encode()).make_image(image_factory=_IMAGES[media]).save(stream)
    return stream.getvalue()


@dataclasses.dataclass(frozen=True, slots=True)
class Code:
    """A QR code that is not drawn yet: to find its size takes no time, to draw it some.

    For many codes at once: the mask is always the same. Choosing the best of the eight takes six
    times as long, and readers do not need it.
    """

    _code: qrcode.QRCode

    @property
    def side(self) -> int:
        """Modules of a side, without a quiet zone."""
        return 4 * int(self._code.version) + 17

    def rows(self) -> list[list[bool]]:
        """Draw it: return the rows without a quiet zone, dark modules True."""
        self._code.make(fit=False)
        modules: list[list[bool]] = self._code.modules
        return modules


def plan(value: str) -> Code:
    """Return the QR code of ``value``, not drawn yet.

    :raises ValueTooLongForQr: no QR code holds the value.
    """
    return Code(_code(value.encode(), mask=_MASK))


def _code(content: bytes, mask: int | None = None) -> qrcode.QRCode:
    """Return a code of the least size that holds ``content``, without its modules."""
    if len(content) <= MOST_CHARACTERS:
        for correction in (ERROR_CORRECT_M, ERROR_CORRECT_L):
            code = qrcode.QRCode(error_correction=correction, mask_pattern=mask)
            code.add_data(content, optimize=0)
            try:
                code.best_fit()
            except (DataOverflowError, ValueError):
                # qrcode 8.2 raises either, as the length falls.
                continue
            return code
    raise ValueTooLongForQr(MOST_BYTES)
