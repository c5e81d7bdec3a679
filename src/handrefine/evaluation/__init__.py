"""How good a hand is: against truth, masks and images."""
