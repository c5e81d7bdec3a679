"""The tutorial's notebook as a page: the same text, code and outputs."""

import base64
import re
from pathlib import Path
from typing import Any

import nbformat

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """The page in Markdown, and its pictures by the names that it gives them."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for k, output in enumerate(cell.get("outputs", [])):
            if text := _text(output):
                parts.append(f"```text\n{text.rstrip()}\n```")
            if picture := output.get("data", {}).get("image/png"):
                name = f"pictures/tutorial-{number}-{k}.png"
                pictures[name] = base64.b64decode(picture)
                parts.append(f"![output of the code above](../docs/{name})")
    return "\n\n".join(parts) + "\n", pictures


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return _COLOUR.sub("", output.text)
    data = output.get("data", {})
    return "" if "image/png" in data else _COLOUR.sub("", data.get("text/plain", ""))
