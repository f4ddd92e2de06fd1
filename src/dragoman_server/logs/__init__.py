"""What users see of every run, call and change: operations, each with messages, searchable and free of secrets.

Every story starts an `Operation`; doors and the dashboard search. Stores `logs.operations` and `logs.messages` in daily
partitions, kept 15 days. The writer runs in each process that logs; the loops (days, stale operations) in one or more.
"""

from dragoman_server.logs.loops import LogsKeeper
from dragoman_server.logs.model import Level, Message, OperationFilter, OperationView, Page, State
from dragoman_server.logs.operation import Operation
from dragoman_server.logs.service import Logs

__all__ = ["Level", "Logs", "LogsKeeper", "Message", "Operation", "OperationFilter", "OperationView", "Page", "State"]
