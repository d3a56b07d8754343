# The command line for CPUs: `make container`, then
#     docker run --rm --volume "$PWD:/work" uslabelseg demo demo-study
FROM python:3.13-slim

WORKDIR /source
COPY constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt --extra-index-url https://download.pytorch.org/whl/cpu \
    "torch==2.13.0+cpu"

COPY pyproject.toml README.md LICENSE ./
COPY USLabelEfficientSeg USLabelEfficientSeg
RUN pip install --no-cache-dir --constraint constraints.txt ".[dicom]" && rm -r /source

# Files belong to whoever runs it, docker run --user "$(id -u):$(id -g)"; never to root.
ENV USLABELSEG_STATE=/tmp/uslabelseg HOME=/tmp
WORKDIR /work
USER 1000:1000
ENTRYPOINT ["uslabelseg"]
CMD ["--help"]
