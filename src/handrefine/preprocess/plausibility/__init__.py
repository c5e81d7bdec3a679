"""Whether an input can be right, told before the first iteration: all that is odd, in one list."""
