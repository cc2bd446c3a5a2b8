"""What can go wrong with a model.

ModelError
├── ModelUnavailableError   missing, damaged or of a kind that is not rendered
├── OutOfMemoryError        the device has no room for it or for the picture
└── DeviceLostError         the GPU is gone or in a state that only a new process leaves
"""


class ModelError(Exception):
    """An error of the model code."""


class ModelUnavailableError(ModelError):
    """The model cannot be used.

    Args:
        name: the model's name.
        reason: why, in a sentence for people, without a full stop.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The model {name} cannot be used: {reason}")
        self.name = name
        self.reason = reason


class OutOfMemoryError(ModelError):
    """No room on the device."""


class DeviceLostError(ModelError):
    """The device answers no more."""
