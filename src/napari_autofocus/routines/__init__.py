"""Generators over the protocols of a microscope: sweep, refocus, hold, survey, acquire; no hardware library, no GUI."""
