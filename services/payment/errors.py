"""What the payment service refuses.

PingvasError
└── UnauthorizedError
    └── AccountGoneError
"""

from services.kernel.errors import UnauthorizedError


class AccountGoneError(UnauthorizedError):
    code, title = "account_gone", "This account is no longer here"
