"""Puts this folder on the path, so that tests of single checks find `post_network`."""
