"""Values of the Helm charts that bring the cluster up and keep it: one module a concern, one function a chart."""
