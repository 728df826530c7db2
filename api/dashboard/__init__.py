"""NiceGUI pages on the API's application; every asset comes from the package."""
