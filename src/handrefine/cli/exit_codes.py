"""How a command ends, as its exit status says it."""

#: Bad input, or a machine that cannot do it: one message, nothing written under the output's name.
USAGE_ERROR = 2
#: A run finished, but is worse than what it began with: no `dataset/` was written of it.
NOT_BETTER = 3
#: A run finished with its annotation, but some of its other files could not be written; tasks of a batch failed.
INCOMPLETE = 4
#: Stopped by Ctrl-C; by another signal, 128 plus its number (`handrefine.cli.signals`).
INTERRUPTED = 130
