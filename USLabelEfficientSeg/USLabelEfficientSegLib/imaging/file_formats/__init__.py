"""Strict readers of NRRD, NIfTI, MetaImage and GIPL: what is not understood is refused, and nothing is allocated before
the file is seen to hold it.
"""
