"""A dataset, a renderer, a variable and a term of a stranger's: docs/architecture.md shows these files."""
