"""AWS Backup: the vault, the plan, and the roles that copy and restore."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_backup as backup
from aws_cdk import aws_iam as iam
from constructs import Construct

from blueprint.data import BACKUPS, BackupRule
from stacks.components.policies import role, service_trust
from stacks.components.statements import document


class Backups(Construct):
    """`vault`, and a plan a rule. `resources` are the ARNs to copy, by the name of the rule."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        resources: Mapping[str, str],
        key: str,
        protected: bool,
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name)
        self.vault = backup.CfnBackupVault(
            self,
            "Vault",
            backup_vault_name=BACKUPS.vault,
            encryption_key_arn=key,
            access_policy=_undeletable() if protected else None,
        )
        self.vault.apply_removal_policy(removal)
        self.role = self._role("Role", BACKUPS.role, "Backup", "copies what the plans name")
        self.restore_role = self._role("RestoreRole", BACKUPS.restore_role, "Restores", "makes a resource of a copy")
        for rule in (BACKUPS.aurora, BACKUPS.efs):
            self._plan(rule, resources[rule.name])

    def _plan(self, rule: BackupRule, resource: str) -> None:
        plan = backup.CfnBackupPlan(
            self,
            f"Plan-{rule.name}",
            backup_plan={
                "backupPlanName": f"pingvas-{rule.name}",
                "backupPlanRule": [
                    {
                        "ruleName": rule.name,
                        "targetBackupVault": self.vault.ref,
                        "scheduleExpression": rule.window.cron,
                        "scheduleExpressionTimezone": "UTC",
                        "startWindowMinutes": rule.window.minutes,
                        "completionWindowMinutes": rule.complete_minutes,
                        "lifecycle": {"deleteAfterDays": rule.keep_days},
                    }
                ],
            },
        )
        backup.CfnBackupSelection(
            self,
            f"Selection-{rule.name}",
            backup_plan_id=plan.ref,
            backup_selection={
                "selectionName": rule.name,
                "iamRoleArn": self.role.attr_arn,
                "resources": [resource],
            },
        )

    def _role(self, name: str, role_name: str, policy: str, purpose: str) -> iam.CfnRole:
        return role(
            self,
            name,
            name=role_name,
            description=f"AWS Backup {purpose}",
            trust=service_trust("backup.amazonaws.com"),
            managed={
                f"service-role/AWSBackupServiceRolePolicyFor{policy}": "AWS keeps this policy in step with what AWS "
                "Backup calls; only AWS Backup assumes the role"
            },
        )


def _undeletable() -> dict[str, Any]:
    """Nobody deletes a copy or shortens its life; whoever must removes this policy first, which CloudTrail tells."""
    return document(
        {
            "Sid": "CopiesLiveAsLongAsTheirPlanSays",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": ["backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"],
            "Resource": "*",
        }
    )
