"""Reports that can be filed: content, document, HTML, PDF, charts and overlays."""
