"""The one reader of JSON and YAML: plain values from files of unknown quality, within limits of size and nesting.

Whatever is wrong with a file is one `InputError` that names it. Nothing in a file can run code, and none takes
much more memory or time than its size: nesting, aliases that multiply, numbers of thousands of digits and other
encodings are refused before they do harm. Documents too large for this are read piece by piece (`json_stream`).
"""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from handrefine.errors import InputError
from handrefine.io.files import open_file

#: PyYAML reads some 50 KB a second; JSON takes twenty times its size as values.
MAX_JSON_BYTES, MAX_YAML_BYTES = 2**25, 2**18
_PIECE = 2**20
#: Levels of lists and mappings in one another; the datasets' files have 7.
MAX_NESTING = 64
#: Values of one YAML file, an alias counted as often as it is used.
MAX_YAML_VALUES = 20_000
#: Digits of one number, where text becomes numbers at a cost that grows with their square.
MAX_DIGITS = 400
_OTHER_ENCODINGS = {
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}
#: What `cv2.FileStorage` begins its files with; YAML would want a space in the place of the colon.
_OPENCV_DIRECTIVE = re.compile(r"\A\s*%YAML:1\.[01][^\n]*\n")
_HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


def read_text(path: Path, most_bytes: int = MAX_JSON_BYTES) -> str:
    """Text in UTF-8, with or without a byte order mark.

    Raises:
        InputError: the file is missing, cannot be read, is larger, or is written in another encoding.
    """
    try:
        content = bytearray()
        with open_file(path) as file:  # in pieces: a buffer for the most that is allowed would be reserved
            while len(content) <= most_bytes and (piece := file.read(_PIECE)):
                content += piece
    except FileNotFoundError:
        raise InputError("a file is missing", where=path) from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise InputError("a file cannot be read", where=path, found=error) from error
    if len(content) > most_bytes:
        raise InputError("a file is too large", where=path, expected=f"at most {most_bytes} bytes")
    return decoded(bytes(content), path)


def decoded(content: bytes, path: Path) -> str:
    """The bytes as text, see `read_text`."""
    for name, marks in _OTHER_ENCODINGS.items():
        if content.startswith(marks):
            raise _not_utf8(path, f"text in {name}")
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error


def read_json(path: Path) -> Any:
    """The content of a JSON file; NaN and Infinity, which other programs write, are numbers.

    Raises:
        InputError: it is missing, too large, in another encoding, nested too deeply, or is no JSON.
    """
    return parse_json(read_text(path), path)


def read_json_lines(path: Path) -> Iterator[Any]:
    """One document a line, one after the other; raises as `read_json`."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            yield parse_json(line, f"{path}, line {number}")


def parse_json(text: str, where: object) -> Any:
    """Raises:
    InputError: the text is no JSON, or nested too deeply.
    """
    try:
        value = json.loads(text, parse_int=whole_number)
        if _HALF_A_CHARACTER.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            "a file is not valid JSON", where=where, found=_fault(error), fix="download or copy it again"
        ) from error
    check_nesting(value, where)
    return value


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; nothing in it can run code. Python's tuples are lists, OpenCV's matrices
    mappings of rows, cols and data.

    Raises:
        InputError: it is missing, too large, in another encoding, nested too deeply, names a key twice, asks for
            anything but data, or is no YAML.
    """
    text = _OPENCV_DIRECTIVE.sub("", read_text(path, MAX_YAML_BYTES))
    try:
        return yaml.load(text, Loader=_DataLoader)
    except yaml.constructor.ConstructorError as error:
        raise InputError(
            "a YAML file asks for something that is not data",
            where=path,
            found=error,
            expected="numbers, text, lists and mappings only",
            fix="use the file as its makers published it",
        ) from error
    except Exception as error:  # PyYAML's constructors raise whatever Python does: ValueError, KeyError ...
        raise InputError(
            "a file is not valid YAML", where=path, found=_fault(error), fix="download or copy it again"
        ) from error


class _DataLoader(yaml.SafeLoader):
    """YAML's own types, and Python's tuples as lists: PyYAML's `dump` writes the latter by a tag of their own.

    What stands in a tuple is read by the same rules, so that no tag can name anything but data.
    """

    yaml_constructors = {  # noqa: RUF012  # as PyYAML spells it
        **yaml.SafeLoader.yaml_constructors,
        "tag:yaml.org,2002:python/tuple": lambda loader, node: loader.construct_sequence(node, deep=True),
        "tag:yaml.org,2002:opencv-matrix": lambda loader, node: loader.construct_mapping(node, deep=True),
        "tag:yaml.org,2002:opencv-nd-matrix": lambda loader, node: loader.construct_mapping(node, deep=True),
        "tag:yaml.org,2002:int": lambda loader, node: loader.int_of_few_digits(node),
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise yaml.YAMLError(f"nested more than {MAX_NESTING} levels deep")
        alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if alias and id(node) not in self._sizes:
            raise yaml.constructor.ConstructorError(
                None, None, "a value contains itself", self.peek_event().start_mark
            )
        if node is not None and id(node) not in self._sizes:
            self._sizes[id(node)] = self._size(node)
        return node

    def _size(self, node: yaml.Node) -> int:
        """How many values a node has, aliases counted as often as they are used."""
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            parts = node.value
        elif isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
            if len(set(keys)) < len(keys):
                twice = next(key for key in keys if keys.count(key) > 1)
                raise yaml.YAMLError(f"the key {twice!r} stands twice in one mapping {node.start_mark}")
        size = 1 + sum(self._sizes[id(part)] for part in parts)
        if size > MAX_YAML_VALUES:
            raise yaml.YAMLError(f"holds more than {MAX_YAML_VALUES} values, aliases counted")
        return size

    def int_of_few_digits(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > MAX_DIGITS:
            raise ValueError(f"a number has {len(node.value)} digits")
        return self.construct_yaml_int(node)


def whole_number(digits: str) -> int:
    """Raises:
    ValueError: there are so many digits that the conversion takes long.
    """
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def check_nesting(value: object, where: object) -> None:
    """Raises:
    InputError: lists and mappings lie deeper in one another than any recursion is safe for.
    """
    level = [value]
    for _ in range(MAX_NESTING + 1):
        level = [
            item
            for of in level
            if isinstance(of, dict | list)
            for item in (of.values() if isinstance(of, dict) else of)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise InputError("a file is nested too deeply", where=where, expected=f"at most {MAX_NESTING} levels")


def _not_utf8(path: Path, found: object) -> InputError:
    return InputError("a file is not text in UTF-8", where=path, found=found, fix="save it as UTF-8")


def _fault(error: BaseException) -> str:
    if isinstance(error, RecursionError | MemoryError):
        return "it is nested too deeply, or needs more memory than there is"
    return str(error) or type(error).__name__
