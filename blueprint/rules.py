"""How a number that cannot be is told: one line that names the setting and the rule it breaks."""


class RuleError(ValueError):
    """A setting or a number of the blueprint that nothing can be built from.

    >>> str(RuleError("aurora_min_acu", 8, "must not be above aurora_max_acu, which is 4"))
    'aurora_min_acu = 8: must not be above aurora_max_acu, which is 4'
    """

    def __init__(self, setting: str, value: object, rule: str) -> None:
        super().__init__(f"{setting} = {value}: {rule}")
        self.setting = setting
        self.rule = rule


def demand(condition: bool, setting: str, value: object, rule: str) -> None:
    """Raises RuleError unless the condition holds."""
    if not condition:
        raise RuleError(setting, value, rule)
