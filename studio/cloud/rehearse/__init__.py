"""A deployment of the whole app against an AWS emulator on this machine, told in phases, and what that does not prove.

schemas    AWS's published resource schemas: what a resource's properties may be, which attributes it has
records    resources that exist as records alone: physical ids, references, attributes, changes
entries    living resources: a record each, and moto's own object where moto makes one
services   what CloudFormation makes by calling services of the emulator itself
order      in which order resources are made
exports    what stacks read of one another
refusals   what AWS would refuse
ledger     what happened to each resource, line by line
engine     CloudFormation's part: creation, in-place updates, replacements, deletions
emulator   the child process: moto's server with that engine
process    its start and its end, and the environment of who speaks to it
run        the phases: bootstrap, deploy, deploy again, change, destroy
"""
