# SPDX-License-Identifier: GPL-2.0
# Sphinx configuration of the fusex documentation.
project = "fusex"
extensions = []
master_doc = "index"
exclude_patterns = ["output"]
html_theme = "alabaster"
highlight_language = "c"
nitpicky = True
