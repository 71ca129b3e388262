"""The built-in kinds, registered through the plugin door like anyone's."""
