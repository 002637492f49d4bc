"""Panels that work by themselves, for pictures, films and demonstrations: tours and what they report."""
