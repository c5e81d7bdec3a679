"""Small pieces of HTML, and images as text within it."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

import cv2
import numpy as np
from jaxtyping import UInt8

#: WebP above 100 is lossless.
LOSSLESS = 101
PHOTO_QUALITY = 82


def section(name: str, title: str, body: str) -> str:
    """A section of the page; nothing where there is nothing to show."""
    if not body:
        return ""
    return f'<section id="{name}"><h2>{escape(title)}</h2>\n{body}\n</section>\n'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "") -> str:
    """A table whose first column is a heading; cells are HTML already. It scrolls where it is too wide."""
    heads = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="table: {escape(head[0], quote=True)}">'
        f'<table class="{kind}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def figure(inside: str, caption: str, *, kind: str = "") -> str:
    return f'<figure class="{kind}">{inside}<figcaption>{caption}</figcaption></figure>'


def image_element(
    image: UInt8[np.ndarray, "height width channel"], alt: str, *, quality: int, kind: str = ""
) -> str:
    """An image element that carries its pixels and is decoded once it comes into sight."""
    height, width = image.shape[:2]
    return picture_element(data_uri(image, quality), alt, width, height, kind=kind)


def picture_element(uri: str, alt: str, width: int, height: int, *, kind: str = "") -> str:
    """The same for pixels that are written already, as `data_uri` does."""
    return (
        f'<img class="{kind}" width="{width}" height="{height}" loading="lazy" decoding="async" '
        f'alt="{escape(alt, quote=True)}" src="{uri}">'
    )


def data_uri(image: UInt8[np.ndarray, "height width channel"], quality: int) -> str:
    """RGB or RGBA as a WebP file in base64."""
    order = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    written, encoded = cv2.imencode(".webp", cv2.cvtColor(image, order), [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not written:
        raise OSError("this build of OpenCV cannot write WebP")
    return "data:image/webp;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
