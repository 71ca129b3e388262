"""Plugins (4xxx)."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E4001",
        "plugin-fails",
        "A package names a plugin under the entry-point group `mlsd.plugins`, and it cannot be loaded or is none.",
        "Mend or uninstall the package that the message names.",
        'entry-points."mlsd.plugins": routes = "mlsd_routes:Plugin"',
        'entry-points."mlsd.plugins": routes = "mlsd_routes:PLUGIN"',
    ),
    Code(
        "E4002",
        "kind-twice",
        "Two plugins bring a kind of the same name, so that a spec that names it means two things.",
        "Uninstall one of the two packages.",
    ),
    Code(
        "E4003",
        "kind-breaks-its-contract",
        "A kind of a plugin lacks something that the extension point asks for, or has it of another type.",
        "Mend the plugin: `docs/` shows what each extension point asks for.",
    ),
)
