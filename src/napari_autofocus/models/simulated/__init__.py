"""Simulated slides that models learn from and are checked on."""
