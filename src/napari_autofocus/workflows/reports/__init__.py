"""Pages, pictures and tables about frames, models and pairs of shots, and what these are drawn with."""
