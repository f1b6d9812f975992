"""The records of a training run whose images cannot be decoded, counted up to a limit."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Dict, List

from gluon_cbam.common.errors import DataError

_log = logging.getLogger('gluon_cbam.data')


@dataclass
class BadRecords:
    """The records of a run that cannot be decoded, up to a limit.

    Attributes:
        limit: maximum number of records that may be skipped; default 0.
        numbers: indices of the bad records, each once, in the order in which they were found.
    """

    limit: int = 0
    numbers: List[int] = field(default_factory=list)

    def add(self, found: Dict[int, str]) -> None:
        """Count and log the records that were not known to be bad.

        Args:
            found: index of the record -> the fault, with the name of the record.

        Raises:
            DataError: there are more than the limit.
        """
        for number, fault in found.items():
            if number in self.numbers:
                continue
            if len(self.numbers) >= self.limit:
                raise self.too_many(fault)
            self.numbers.append(number)
            _log.warning('%s: skipped (%d of at most %d)', fault, len(self.numbers), self.limit)

    def too_many(self, fault: str) -> DataError:
        """The error for a record beyond the limit.

        Args:
            fault: the fault of that record, with its name.

        Returns:
            The error, which the caller raises.
        """
        if self.limit:
            return DataError(f'{fault}: one bad record more than --max-bad-records {self.limit}')
        return DataError(f'{fault}: pack the image again, or skip such records with --max-bad-records')
