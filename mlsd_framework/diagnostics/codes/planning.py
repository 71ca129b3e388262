"""Plans and deployments (501x): what is done, what is refused, and which version serves."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E5010",
        "breaking-change",
        "Callers of the service rely on an endpoint or a column of its request that the spec no longer has, or "
        "would have to send a column that they do not.",
        "Tell them first; then deploy with `--allow-breaking`. Or keep the column, or make the new one nullable.",
        right="mlsd deploy specs/fraud.yaml --allow-breaking",
    ),
    Code(
        "E5011",
        "no-saved-plan",
        "The file does not hold a plan.",
        "Write one with `mlsd plan SPEC --out FILE`.",
        right="mlsd plan specs/fraud.yaml --out plan.json && mlsd deploy --plan plan.json",
    ),
    Code(
        "E5012",
        "plan-out-of-date",
        "The spec, the data or what is done has changed since the plan was saved, so it would do something else.",
        "Plan again, look at the new plan, and apply that.",
    ),
    Code(
        "E5014",
        "state-not-writable",
        "A file of the system's state cannot be written: the disk is full, or the folder belongs to another user. What "
        "was there is intact.",
        "Free some space or mend permissions, and run the command again: it goes on where it stopped.",
    ),
    Code(
        "E5015",
        "stage-failed",
        "A stage of the plan ended with an error. What was done before it stays done, and what serves goes on serving.",
        "Read the diagnostics before this one, or the log that it names; then run the command again.",
    ),
    Code(
        "E5016",
        "no-such-version",
        "The version is not there, or the code that answers with it is not.",
        "`mlsd status` names the versions; deploy the spec that the version was made from.",
    ),
    Code(
        "E5017",
        "system-busy",
        "Another command has been changing this system for longer than this one waits.",
        "Wait for it, or end it; a lock ends with its process, so nothing has to be removed.",
    ),
    Code(
        "E5018",
        "not-a-local-environment",
        "The environment's target is a cluster, and the command runs a system on this machine.",
        "Choose an environment with `target: local`.",
    ),
    Code(
        "E5019",
        "missing-secret",
        "A secret that the environment names is in neither the environment variable nor the file.",
        "Set it in the shell that deploys, or write it to the file.",
        right="MLSD_TOKEN=$(cat token) mlsd deploy specs/fraud.yaml --env production",
    ),
    Code(
        "E5020",
        "no-answer",
        "The service does not answer, or it answers with an error.",
        "Look at `mlsd status` and `mlsd logs`; a wrong request is told field by field.",
    ),
    Code(
        "E5021",
        "no-report",
        "No evaluation of the system has been run.",
        "Train it.",
        right="mlsd train specs/fraud.yaml",
    ),
    Code(
        "E5022",
        "no-payload",
        "The file with the request cannot be read, or it is not JSON.",
        "Give a JSON object with the columns of the request; `mlsd deploy` prints one from real rows.",
    ),
    Code(
        "E5023",
        "unproved",
        "The proof of the system fails: features differ between training and service, the training set leaks, or a "
        "feature was not exercised. It is not deployed.",
        "Mend what the findings above name. To deploy all the same for a while, say until when and why; `deploy` "
        "repeats it each time, and refuses again from the day after.",
        wrong="override: {proof: true}",
        right="override: {proof: {until: 2026-12-31, reason: the vendor mends the late chargebacks in December}}",
    ),
    Code(
        "E5024",
        "override-ended",
        "The proof of the system fails, and the override that let it be deployed all the same has ended.",
        "Mend what the findings name and remove the override, or agree on another day.",
        right="override: {proof: {until: 2027-01-31, reason: the mended feed goes live on 2027-01-20}}",
    ),
    Code(
        "E5025",
        "nothing-to-prove",
        "The system has neither stored features nor a training set, so there is nothing that could differ or leak.",
        "Give it features or a model.",
    ),
)
