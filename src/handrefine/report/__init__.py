"""A run as one HTML page that needs no other file, no network and no program."""

from handrefine.report.write import report_of_finished_run, write_report

__all__ = ["report_of_finished_run", "write_report"]
