"""Small typed constructs that the folders of `gitops/` are made of."""
