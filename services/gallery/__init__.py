"""Gallery service: pictures and their thumbnails, and the reaper of what nobody needs any more."""
