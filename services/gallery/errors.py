"""What the gallery service refuses, and why."""

from services.kernel.errors import NotFoundError


class ImageNotFoundError(NotFoundError):
    code, title = "image_not_found", "There is no such image"
