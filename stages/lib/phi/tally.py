"""Count what a scrub did: documents, spans, canaries, what was left, and how many patients look alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.lib.phi.anonymity import Patients, k_anonymity, quasi_identifiers
from stages.lib.phi.leak import Leak
from stages.lib.phi.spans import Span

if TYPE_CHECKING:
    from stages.lib.phi.work import Scrubbed

IDS_SHOWN = 5
Record = Mapping[str, Any]


@dataclass
class Tally:
    """What is counted on the way; constant in memory, but for the classes of patients."""

    counts: Counter[str] = field(default_factory=Counter)
    spans: Counter[str] = field(default_factory=Counter)
    leak: Leak = field(default_factory=Leak)
    patients: Patients = field(default_factory=Counter)
    suspects: list[str] = field(default_factory=list)
    """Ids of the first records in which something still looks like PHI."""

    def add(self, given: Sequence[Record], results: Sequence[Scrubbed], records: Sequence[Record]) -> None:
        """Count the records of one patient: as given, their scrubbed texts, and as they go on."""
        self.patients[quasi_identifiers(records)] += 1
        for record, result in zip(given, results, strict=True):
            self.counts.update(documents=1, changed=bool(result.spans), hits=result.hits)
            self.spans.update(span.entity for span in result.spans)
            if result.hits and len(self.suspects) < IDS_SHOWN:
                self.suspects.append(record["record_id"])
            if gold := record.get("phi"):
                self.leak.add(record["text"] or "", gold=[Span(**span) for span in gold], found=result.spans)

    def metrics(self) -> dict[str, object]:
        """Return counts and what they measure; never a value."""
        return {
            "documents": self.counts["documents"],
            "documents_changed": self.counts["changed"],
            "spans": dict(sorted(self.spans.items())),
            "canaries": self.counts["canaries"],
            "canaries_left": 0,  # one would have stopped the run
            "phi_hits": self.counts["hits"],
            "k_anonymity": k_anonymity(self.patients),
            **self.leak.metrics(),
        }
