"""A demonstration that runs on one machine: an embedded store, the service, and a real upload.

`play` (make demo) performs the main job once and checks it; `serve` (make serve) leaves the same
set-up running. Nothing here is imported by the service.
"""
