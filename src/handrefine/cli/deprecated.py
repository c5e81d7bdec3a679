"""Options under the names that they once had: they still work, with a word about their new ones."""

from collections.abc import Mapping, Sequence

#: For every command the old options and what they are called now. Options may also be spelt with underscores.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "demo": {"--instants": "--n-frames", "--cameras": "--n-cameras"},
    "synthesize": {"--instants": "--n-frames", "--cameras": "--n-cameras"},
    "turntable": {"--pictures": "--n-images"},
}


def renewed(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """A command line with today's options in the place of old ones, and a message for each of these."""
    if not arguments:
        return [], []
    renamed = RENAMED.get(arguments[0], {})
    today, messages = [arguments[0]], []
    for argument in arguments[1:]:
        option, equals, value = argument.partition("=")
        new = renamed.get(option.replace("_", "-"))
        if new is not None:
            messages.append(f"{option} is now called {new}")
        today.append(argument if new is None else f"{new}{equals}{value}")
    return today, messages
