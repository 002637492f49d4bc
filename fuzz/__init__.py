"""Damaged and hostile files and command lines, and what must never happen when one of them is opened.

``python -m fuzz --minutes 10`` runs every target; ``docs/security.md`` says what is promised.
"""
