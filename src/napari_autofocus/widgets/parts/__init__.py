"""What panels of every kind are put together from: forms, tabs, folds, colours, keys, words and tidy endings."""
