"""The code at the place as people scan it: a QR code of the address on which a department checks in."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import urlencode

import segno
from fastapi import Request

__all__ = ["check_in_address", "qr_svg"]


def check_in_address(request: Request, whistle: str, digits: str) -> str:
    """Return the address of the check-in page of a whistle with its code, on the host that was asked."""
    return f"{request.base_url}check-in?{urlencode({'whistle': whistle, 'code': digits})}"


def qr_svg(text: str) -> str:
    """Return a QR code (ISO/IEC 18004, error correction M) as an SVG document that scales with its frame."""
    drawn = BytesIO()
    segno.make(text, error="m", micro=False).save(drawn, kind="svg", xmldecl=False, omitsize=True, border=2)
    return drawn.getvalue().decode()
