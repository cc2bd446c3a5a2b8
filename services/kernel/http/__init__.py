"""The FastAPI half of the kernel."""
