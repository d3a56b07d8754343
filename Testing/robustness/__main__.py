import faulthandler

from robustness.runner import main

faulthandler.enable()
main()
