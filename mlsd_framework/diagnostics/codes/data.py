"""Data (61xx): fetching, reading, checking, simulating."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    # Simulating payments: the codes that begin with E615.
    Code(
        code="E6150",
        name="simulation-setting",
        meaning="A setting of the card simulation has a value that describes no simulation.",
        cure="Give the setting a value of the kind and range that the message names.",
        wrong="customers: 0",
        right="customers: 5000",
    ),
    Code(
        code="E6151",
        name="simulation-too-large",
        meaning="The card simulation would make more payments than fit into the memory of an ordinary machine.",
        cure="Lower the number of customers, terminals or days, or the payments a day.",
        wrong="customers: 5000000",
        right="customers: 50000",
    ),
    Code(
        code="E6152",
        name="simulation-empty",
        meaning="No simulated customer makes a payment: none has a terminal within reach, or the period is too short.",
        cure="Raise the radius, or the number of terminals, customers or days.",
        wrong="radius: 0.001",
        right="radius: 5",
    ),
)
