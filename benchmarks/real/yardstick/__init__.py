"""Masks of real hands corrected by hand, and how far a rendered hand is from them."""
