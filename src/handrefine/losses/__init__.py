"""The objective: one file a term."""
