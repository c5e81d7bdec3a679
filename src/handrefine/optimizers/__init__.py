"""How the unknowns are moved."""
