"""Who reaches whom in the cluster, computed from rendered NetworkPolicies by two analysers that share no rule."""
