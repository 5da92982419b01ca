"""An analysis as a hospital files it: structured report, maps, PDF, FHIR; `filing.objects` makes what a PACS takes."""
