"""What the user service refuses.

PingvasError
├── UnauthorizedError
│   └── AccountGoneError
├── ForbiddenError
│   └── SessionRequiredError
├── NotFoundError
│   └── ApiKeyNotFoundError
└── ConflictError
    └── TooManyApiKeysError
"""

from services.kernel.errors import ConflictError, ForbiddenError, NotFoundError, UnauthorizedError


class AccountGoneError(UnauthorizedError):
    code, title = "account_gone", "This account is no longer here"


class SessionRequiredError(ForbiddenError):
    code, title = "session_required", "An API key cannot do this; sign in"


class ApiKeyNotFoundError(NotFoundError):
    code, title = "api_key_not_found", "There is no such API key"


class TooManyApiKeysError(ConflictError):
    code, title = "too_many_api_keys", "No more API keys can be made"
