"""The plugins that come with corepy, one folder a directive; imported as `corepy.plugins.NAME`."""
