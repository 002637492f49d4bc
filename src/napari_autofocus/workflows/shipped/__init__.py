"""Making the models that ship, by recipe and seed; `make models` runs it."""
