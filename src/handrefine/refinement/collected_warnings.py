"""`warnings.json`: what the program warned of while it ran, kept with the result."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

LOGGER = "handrefine"


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        self.messages[message] = self.messages.get(message, 0) + 1


@contextmanager
def collected_warnings() -> Iterator[dict[str, int]]:
    """Every warning that handrefine logs within the block, and how often; they still go where they went."""
    collector, logger = _Collector(), logging.getLogger(LOGGER)
    logger.addHandler(collector)
    try:
        yield collector.messages
    finally:
        logger.removeHandler(collector)


def added(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    """All messages of two collections, and how often each came."""
    return {message: first.get(message, 0) + second.get(message, 0) for message in {**first, **second}}
