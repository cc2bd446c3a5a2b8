"""Generation service: accepts requests, holds their credits, queues them, and tells how they go."""
