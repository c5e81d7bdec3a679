"""Reading and writing files, of unknown quality: one module a kind, with limits; nothing in a file runs code."""
