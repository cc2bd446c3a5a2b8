"""Deployment into an account: everything looked at first, then CDK in the right order, and what only it can make.

account     the account by its API: clients, identity, what our stacks hold
checks      the preflight, a function a question
delegation  whether the world asks our name servers
signing     the RSA pairs that sign picture URLs
run         the order of it all
"""
