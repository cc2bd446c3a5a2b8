"""Container images and who may push them."""

from blueprint.services import SERVICES

IMAGES = (*(service.title for service in SERVICES.values()), "gpu-worker", "migrations", "web")
"""One ECR repository an image, below `pingvas/`."""
MUTABLE_TAG_PREFIX = "dev-latest"
UNTAGGED_DAYS = 7
KEPT_IMAGES = 50
