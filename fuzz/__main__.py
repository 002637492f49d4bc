"""``python -m fuzz``: see ``run.py``."""

from fuzz.run import main

main()
