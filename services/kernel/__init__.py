"""What all five services and the worker share; everything outside `http/` is free of FastAPI."""
