"""The cloud from this machine: tools, synthesis, differences, cost, deployment, rehearsal, drawing."""
