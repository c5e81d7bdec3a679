"""Is the verdict of every frame right? Measured on synthetic videos with spoiled frames and cameras."""
