"""Photos before and after the treatment: taken in from a telephone, stored small, upright and without their tags."""

from __future__ import annotations

import hashlib
import io
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from PIL import Image, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.errors import CityError, Conflict, InvalidInput, NotFound
from grids.places.acts import require_may
from grids.places.placecase import PlaceCase
from grids.rules.calendar import SHANGHAI
from grids.rules.permissions import Actor, Scope
from grids.rules.places import PhotoSide
from grids.scope import places_in
from grids.tables import Place, PlacePhoto

__all__ = ["LARGEST_BYTES", "LONGEST_SIDE", "MOST_PHOTOS", "Picture", "add_photo", "read_photo", "taken_in"]

LARGEST_BYTES = 15_000_000
LARGEST_PIXELS = 60_000_000
LONGEST_SIDE = 1600
MOST_PHOTOS = 40
_LONGEST_NOTE = 500

_QUALITY = 82
_FORMATS = tuple(
    str(one.format)
    for one in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
    )
)
_EXIF, _TAKEN, _OFFSET = (
    0x8769,
    0x9003,
    0x9011,
)  # the tags DateTimeOriginal and OffsetTimeOriginal of Exif 2.31
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is stored: JPEG, at most `LONGEST_SIDE` pixels a side. taken_at : as the camera wrote it."""

    jpeg: bytes
    width: int
    height: int
    taken_at: datetime | None


def taken_in(content: bytes) -> Picture:
    """Return a photo upright, small and without its tags: where and by whose device it was taken stays at home.

    content : JPEG, PNG or WebP; of an animation the first picture. The time of the camera counts as the city's where
    it names no offset. Raises `InvalidInput`: "photo_empty", "photo_too_large" for bytes or pixels (looked at before
    anything is unpacked), "not_a_photo" for what is none or is broken.
    """
    if not content:
        raise InvalidInput("photo_empty", "the photo is empty", field="photo")
    if len(content) > LARGEST_BYTES:
        raise _too_large(f"{len(content) / 1e6:.1f} MB", f"{LARGEST_BYTES // 1_000_000} MB")
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > LARGEST_PIXELS:
                raise _too_large(
                    f"{width} x {height} pixels", f"{LARGEST_PIXELS // 1_000_000} million pixels"
                )
            taken_at = _taken_at(image)
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is unpacked no larger than it has to be
            upright = ImageOps.exif_transpose(image)
            plain = _opaque(upright)
            plain.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large("more", f"{LARGEST_PIXELS // 1_000_000} million pixels") from None
    except CityError:
        raise
    except _BROKEN:
        raise InvalidInput(
            "not_a_photo",
            "this is no photo that can be read: send a whole JPEG, PNG or WebP file",
            field="photo",
            wanted=["JPEG", "PNG", "WebP"],
        ) from None
    stored = io.BytesIO()
    plain.info.clear()  # else tags and the colour profile would be written along
    plain.save(stored, "JPEG", quality=_QUALITY, optimize=True)
    return Picture(stored.getvalue(), plain.width, plain.height, taken_at)


def _too_large(got: str, wanted: str) -> InvalidInput:
    return InvalidInput(
        "photo_too_large",
        f"a photo has at most {wanted}; this one has {got}",
        field="photo",
        got=got,
        wanted=wanted,
    )


def _opaque(image: Image.Image) -> Image.Image:
    """Return a picture in RGB, on white where one sees through it."""
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    ground = Image.new("RGB", layered.size, "white")
    ground.paste(layered, mask=layered.getchannel("A"))
    return ground


def _taken_at(image: Image.Image) -> datetime | None:
    try:
        tags = image.getexif().get_ifd(_EXIF)
        told = datetime.strptime(str(tags[_TAKEN]).strip("\x00 "), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - below
        offset = str(tags.get(_OFFSET, "")).strip("\x00 ")
        if offset:
            return datetime.fromisoformat(f"{told.isoformat()}{offset}").astimezone(UTC)
        return told.replace(tzinfo=SHANGHAI).astimezone(UTC)
    except (*_BROKEN, OverflowError):
        return None  # no tags, or none that anybody could trust


def add_photo(
    session: Session,
    number: str,
    content: bytes,
    *,
    side: PhotoSide,
    note: str | None = None,
    by: Actor,
    now: datetime,
) -> PlacePhoto:
    """Put a photo with a place (row P6); the same file again is the photo that is there already.

    Raises what `taken_in` raises, `Conflict` ("too_many_photos") and, for a department that does not lead,
    `Forbidden` ("not_leading_here").
    """
    said = (note or "").strip() or None
    if said is not None and len(said) > _LONGEST_NOTE:
        raise InvalidInput("text_length", f"note has at most {_LONGEST_NOTE} characters", field="note")
    picture = taken_in(content)
    case = PlaceCase.open(session, number, by, now)
    require_may(case, "add_photo")
    seal = hashlib.sha256(content).digest()
    mine = PlacePhoto.place_id == case.place.id
    there = session.scalar(select(PlacePhoto).where(mine, PlacePhoto.sha256 == seal))
    if there is not None:
        return there
    if (session.scalar(select(func.count()).where(mine)) or 0) >= MOST_PHOTOS:
        raise Conflict("too_many_photos", f"a place keeps at most {MOST_PHOTOS} photos", wanted=MOST_PHOTOS)
    taken_at = picture.taken_at
    photo = PlacePhoto(
        place_id=case.place.id,
        side=side,
        note=said,
        # a camera whose clock runs ahead says nothing about when
        taken_at=taken_at if taken_at is not None and taken_at <= now + timedelta(days=1) else None,
        added_at=now,
        added_by_id=by.person_id,
        width=picture.width,
        height=picture.height,
        sha256=seal,
        content=picture.jpeg,
    )
    session.add(photo)
    session.flush()
    case.move("add_photo", {"photo": photo.id, "side": side.value, "sha256": seal.hex(), "note": said})
    session.flush()
    return photo


def read_photo(session: Session, scope: Scope, number: str, photo_id: int) -> PlacePhoto:
    """Return a photo of a place with its picture. Raises `NotFound` ("photo_not_found"), also out of sight."""
    found = session.scalar(
        select(PlacePhoto)
        .join(Place, Place.id == PlacePhoto.place_id)
        .where(Place.number == number, PlacePhoto.id == photo_id, places_in(scope))
    )
    if found is None:
        raise NotFound(
            "photo_not_found", f"place {number} has no photo {photo_id} that you may see", number=number
        )
    return found
