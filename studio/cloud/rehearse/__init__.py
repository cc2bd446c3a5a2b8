"""A deployment of the whole app against an AWS emulator on this machine, told in phases, and what that does not prove.

schemas    AWS's published resource schemas: what a resource's properties may be, which attributes it has
records    resources that exist as records alone: physical ids, references, attributes, changes
engine     CloudFormation's part: order, creation, in-place updates, replacements, deletions, imports and exports
emulator   the child process: moto's server with that engine
run        the phases: bootstrap, deploy, deploy again, change, destroy
"""
