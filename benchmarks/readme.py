"""Results in the benchmarks' README, between marks, so that what is told there is what was measured."""

from pathlib import Path

from handrefine.io.files import whole_file


def update_section(path: Path, name: str, text: str) -> None:
    """Put the text between a Markdown file's marks of that name; append it with marks where there are none."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    old = path.read_text() if path.exists() else ""
    before, found, rest = old.partition(begin)
    after = rest.partition(end)[2] if found else "\n"
    separator = "" if found or not before else "\n"
    with whole_file(path) as temporary:
        temporary.write_text(f"{before}{separator}{begin}\n{text}\n{end}{after}")
