"""Real images without truth: every camera in turn is kept from the fit and judges it."""
