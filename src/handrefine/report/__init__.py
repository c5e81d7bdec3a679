"""A run as one HTML page that needs no other file, no network and no program."""

from handrefine.report.page import REPORT_FILE
from handrefine.report.write import report_of_finished_run, write_report

__all__ = ["REPORT_FILE", "report_of_finished_run", "write_report"]
