"""The platform in numbers: frozen, typed, each number once.

Stacks, charts, services, documents and tests read these modules; nothing here imports the rest of the house.

    >>> from blueprint.services import SERVICES
    >>> SERVICES["generation"].port
    8003
"""
