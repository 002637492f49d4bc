"""Parts of the Focus map panel (`focus_map.py`): overview, area, survey, the points and what is done with the map."""
