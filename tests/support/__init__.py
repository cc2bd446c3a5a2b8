"""What tests of several packages share: tenants in the database, services as clients reach them."""
