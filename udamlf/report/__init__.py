"""Tables and figures from what runs recorded."""
