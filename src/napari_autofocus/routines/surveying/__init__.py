"""Parts of a survey of focus points (`survey.py`): its books, looking at a place, reading it, what is left behind."""
