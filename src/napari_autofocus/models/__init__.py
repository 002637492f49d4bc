"""Networks that read focus from images, and the files they live in.

The only room that knows torch, onnxruntime, safetensors and bioimageio; this file itself loads none of them. No
hardware and no GUI here.
"""
