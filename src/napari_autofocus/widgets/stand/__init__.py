"""Parts of the Microscope panel (`microscope.py`): camera, focus drive, optics, slide, stage, and watching them."""
