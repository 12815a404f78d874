"""The operations whose bits are compared, in the image, in one process of one CPU."""
