"""What the parts need of Pyramid, cone.app and the server; it knows no part."""
