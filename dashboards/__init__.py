"""Numbers of `adserver.measurement.report` → pages, figures and files for publishers and advertisers."""
