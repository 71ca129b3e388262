"""The names under which the store keeps what a stream feeds; light, as the service reads the same names.

<system>:<features>:live                              which generation of live states is current
<system>:<features>:live:<generation>:<group>:<key>   the state of one key of a live group
<system>:<features>:position:<source>:<partition>     up to where a partition's events are in the states
<system>:<features>:lease:<source>:<partition>        which replica reads a partition
<system>:<features>:replicas:<source>                 the replicas that live
"""

from dataclasses import dataclass

from mlsd_framework.runtime.features.keys import escape


@dataclass(frozen=True, slots=True)
class LiveNames:
    """The names of one system's live states, for one fingerprint of its feature definitions."""

    system: str
    features: str

    @property
    def root(self) -> bytes:
        """What all names of the system begin with; the pointer of batch generations, as `OnlineStore.pointer`."""
        return escape(self.system) + b":" + escape(self.features)

    @property
    def live(self) -> bytes:
        """The pointer to the current generation of live states."""
        return self.root + b":live"

    def states(self, generation: bytes, group: str) -> bytes:
        """Return what the names of a group's states begin with; a key's encoding follows."""
        return b"%b:%b:%b:" % (self.live, generation, escape(group))

    def position(self, source: str, partition: str) -> bytes:
        """Return the name of a partition's position."""
        return b"%b:position:%b:%b" % (self.root, escape(source), escape(partition))

    def lease(self, source: str, partition: str) -> bytes:
        """Return the name of a partition's lease."""
        return b"%b:lease:%b:%b" % (self.root, escape(source), escape(partition))

    def replicas(self, source: str) -> bytes:
        """Return the name of the set of a source's living replicas."""
        return b"%b:replicas:%b" % (self.root, escape(source))
