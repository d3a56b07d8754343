"""Found by processes that are started while files behave as on Windows: there, too."""

import windows_files

windows_files.start()
