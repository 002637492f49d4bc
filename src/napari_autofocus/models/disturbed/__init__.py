"""Frames with something wrong that never changes where focus is, to teach with and to test with."""
