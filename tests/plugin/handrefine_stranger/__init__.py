"""What a stranger adds to handrefine: a dataset, a renderer, a variable and a term. docs/architecture.md shows it."""
