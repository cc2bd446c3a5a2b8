"""What the model service refuses.

PingvasError
└── NotFoundError
    └── ModelNotFoundError
"""

from services.kernel.errors import NotFoundError


class ModelNotFoundError(NotFoundError):
    code, title = "model_not_found", "There is no such model"
