"""The GPU worker: wakes on a Celery message, claims the job that is due first, renders it and commits it.

One process a GPU; the main thread talks to the broker, one pool thread renders, one more a job keeps its lease. torch
and diffusers are imported in `gpu_worker.models` (and the starter model's training) alone.
"""
