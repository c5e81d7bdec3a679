"""Options under the names that they once had: they still work, with a word about their new ones."""

from collections.abc import Mapping, Sequence

from handrefine.deprecated_keys import renamed

#: For every command the old options and what they are called now. Options may also be spelt with underscores.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "demo": {"--instants": "--n-frames", "--cameras": "--n-cameras"},
    "synthesize": {"--instants": "--n-frames", "--cameras": "--n-cameras"},
    "turntable": {"--pictures": "--n-images"},
}
#: Old settings that were switches: alone on, with `no-` before their last name off.
SWITCHES = ("weigh", "edges", "second_start")


def renewed(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """A command line with today's options in the place of old ones, and a message for each of these."""
    if not arguments:
        return [], []
    command, *rest = arguments
    today, messages = [command], []
    while rest:
        argument = rest.pop(0)
        option, equals, value = argument.partition("=")
        new = RENAMED.get(command, {}).get(option.replace("_", "-"))
        if new is not None:
            messages.append(f"{option} is now called {new}")
            today.append(f"{new}{equals}{value}")
            continue
        given = [value] if equals else rest[:1]
        tokens = _setting(option, given) if option.startswith("--") else None
        if tokens is None:
            today.append(argument)
            continue
        messages.append(f"{option} is now called {tokens[0]}")
        today += tokens
        if not equals and not _is_switch(option):
            rest = rest[1:]
    return today, messages


def _setting(option: str, given: Sequence[str]) -> list[str] | None:
    """Today's option and value of an old setting; None for one that has not changed."""
    name = _name(option)
    head, _, last = name.rpartition(".")
    on = not last.startswith("no_")
    plain = name if on else f"{head}.{last.removeprefix('no_')}"
    entry = renamed(plain)
    value: object = on if _is_switch(option) else next(iter(given), "")
    new = entry.value(value)
    if entry.new == plain and new == value:
        return None
    if isinstance(new, bool):
        start, _, end = entry.new.rpartition(".")
        return [_option(entry.new if new else f"{start}.no_{end}")]
    values = [str(item) for item in new] if isinstance(new, tuple) else [str(new)]
    return [_option(entry.new), *values]


def _is_switch(option: str) -> bool:
    return _name(option).rpartition(".")[2].removeprefix("no_") in SWITCHES


def _name(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
