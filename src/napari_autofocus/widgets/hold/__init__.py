"""Holding focus over time: the Hold tab of the Autofocus panel, its plot, its words, and the row of drift."""
