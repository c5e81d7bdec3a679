"""The unknowns: pose, shape, texture, light, colour transforms, camera rotations."""
