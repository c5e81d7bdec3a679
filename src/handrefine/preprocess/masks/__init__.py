"""What every pixel of an image shows: hand, not hand, or unknown."""
