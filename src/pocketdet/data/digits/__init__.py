"""The built-in data set: handwritten digits on photographs and textures."""
